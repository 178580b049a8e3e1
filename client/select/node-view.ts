/** A node as selection sees it: its card and load, what is remembered of it, and its reputation. */
import type { Load } from '@potluck/protocol'

import { auditedTokens, type Claims, type Reputation, type Score, type Speed } from '../reputation/index.ts'
import type { Contender } from './contender.ts'

/** What the client knows of one model on one node, from its card and its answers. */
export interface KnownNode {
  readonly peer: string
  /** `sha256:…` of the model. */
  readonly digest: string
  readonly local: boolean
  readonly trusted: boolean
  readonly draining: boolean
  readonly suitable: boolean
  readonly contextLength: number
  readonly claims: Claims
  readonly roundTripMs: number
  readonly load: Load
  /** Milliseconds since the epoch. */
  readonly loadAt: number
}

export interface Memory {
  cachedTokens: number
  notBefore: number
  /** When this client's requests that are under way there were sent. */
  sentAt: readonly number[]
}

/** Looks up only what the ranking asks for: of hundreds of nodes most fail at the gate. */
export class NodeView<N extends KnownNode> implements Contender {
  readonly node: N
  readonly peer: string
  readonly cachedTokens: number
  readonly notBefore: number
  readonly standing: Score['standing']
  readonly #reputation: Reputation
  readonly #sentAt: readonly number[]

  constructor(node: N, reputation: Reputation, { cachedTokens, notBefore, sentAt }: Memory) {
    this.node = node
    this.peer = node.peer
    this.cachedTokens = cachedTokens
    this.notBefore = notBefore
    this.standing = reputation.standing(node.peer, node.digest)
    this.#reputation = reputation
    this.#sentAt = sentAt
  }

  get local(): boolean {
    return this.node.local
  }

  get trusted(): boolean {
    return this.node.trusted
  }

  get draining(): boolean {
    return this.node.draining
  }

  get suitable(): boolean {
    return this.node.suitable
  }

  get contextLength(): number {
    return this.node.contextLength
  }

  get claims(): Claims {
    return this.node.claims
  }

  get roundTripMs(): number {
    return this.node.roundTripMs
  }

  get load(): Load {
    return this.node.load
  }

  get loadAt(): number {
    return this.node.loadAt
  }

  get inFlight(): number {
    return this.#sentAt.length
  }

  get sentSince(): number {
    return this.#sentAt.filter((at) => at > this.node.loadAt).length
  }

  get reliability(): Score['reliability'] {
    return this.#reputation.score(this.peer, this.node.digest).reliability
  }

  get auditedTokens(): number {
    return auditedTokens(this.#reputation.state(this.peer, this.node.digest))
  }

  get awaitedAudits(): number {
    return this.#reputation.awaitedAudits(this.peer)
  }

  get speed(): Speed {
    return this.#reputation.state(this.peer, this.node.digest).speed
  }
}
