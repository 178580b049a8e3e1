/** The client: how an application uses a Potluck network. */
import {
  ClockComparison,
  DEFAULT_TIMEOUTS,
  formatDigest,
  parseDigest,
  PotluckError,
  type PhaseTimeouts
} from '@potluck/protocol'

import { Answer } from './answer.ts'
import { SYSTEM_CLOCK } from './base/clock.ts'
import { AUDIT_WORKLOAD, otherAuditor, type OtherAuditor } from './audit/ask.ts'
import { Auditing, type Judged, type Proof } from './audit/auditing.ts'
import { Directory } from './discover/directory.ts'
import { toModelViews, type ModelView } from './discover/models.ts'
import type { KnownNode } from './discover/known-node.ts'
import { PeerBook } from './peers/peer-book.ts'
import { MemoryPeerStore } from './peers/peer-store.ts'
import { embed, type EmbedOptions, type EmbedResult } from './embed.ts'
import { askNode, workloadOf } from './generate/ask-node.ts'
import type { AttemptContext } from './generate/attempt.ts'
import { generate } from './generate/generate.ts'
import { sendRequest } from './generate/wire.ts'
import { watchSuspension } from './suspension.ts'
import { borrowNetwork, createNetwork } from './network/create.ts'
import type { Network } from './network/network.ts'
import type { Platform } from './platform/platform.ts'
import type { ClientOptions, FindOptions, PeerSettings, ReputationSettings } from './options.ts'
import { MemoryReputationStore, Reputation } from './reputation/index.ts'
import { requiredFeatures, toAsk, type Ask, type ChatOptions, type CompletionOptions } from './base/request.ts'
import { Selector, type Candidate, type RankedCandidate, type UserNodes, type Workload } from './select/index.ts'
import { peerStandings, type PeerStanding } from './standing.ts'

export interface Client {
  /**
   * Asks a chat model. Nothing is sent before the answer is read. `examples/chat.ts` streams an answer,
   * `examples/cancel.ts` cancels one.
   *
   * @throws PotluckError `invalid_request` at once for a request that every node refuses; other errors when the answer
   *   is read
   */
  chat: (options: ChatOptions) => Answer
  /** Continues a text without a chat template: see `examples/repeat.ts`. Otherwise like `chat`. */
  complete: (options: CompletionOptions) => Answer
  /**
   * Computes one vector per text. Texts with similar meaning have similar vectors.
   *
   * @throws PotluckError `invalid_request` if there is no text or a text is empty, `no_providers`, or the last node's
   *   failure
   */
  embed: (options: EmbedOptions) => Promise<EmbedResult>
  /**
   * Yields the nodes that serve now, as they are found: see `examples/nodes.ts`. Reuses a lookup of the last minute.
   *
   * @throws PotluckError `no_providers` if the network could not be joined
   */
  nodes: (options?: FindOptions) => AsyncIterable<KnownNode>
  /** Returns the models that are served now, one entry per digest. Waits for the end of the lookup. */
  models: (options?: FindOptions) => Promise<ModelView[]>
  /** The standing of every node that this client knows, with the reasons. */
  standing: () => PeerStanding[]
  /** The reasons for one node's standing, the most important first. Empty for an unknown node. */
  explain: (peerId: string) => string[]
  /** Fraud proofs for `potluck audit`, one for each node that this client banned because of shareable answers. */
  proofs: () => Proof[]
  /** Calls the listener after every audit. Returns a function that removes the listener. */
  onJudged: (listener: (judged: Judged) => void) => () => void
  /** Resolves when no audit runs. Audits run in the background. */
  audited: () => Promise<void>
  /** Cancels all answers and audits, and closes the connections. */
  stop: () => Promise<void>
}

/** `createClient` on any platform. */
export async function createClientOn(platform: Platform, options: ClientOptions): Promise<Client> {
  const { bootstrap = [], mdns = bootstrap.length === 0, scope, libp2p, signal } = options
  signal?.throwIfAborted()
  const reputation = openReputation(options.reputation)
  const book = openBook(options.peers)
  try {
    const network =
      libp2p === undefined
        ? await createNetwork({ bootstrap, mdns, scope, saved: book.addresses() }, platform)
        : borrowNetwork(libp2p, bootstrap)
    const client = new NetworkClient({ network, reputation, book }, options)
    signal?.addEventListener('abort', () => void client.stop(), { once: true })
    return client
  } catch (error) {
    reputation.close()
    book.close()
    throw error
  }
}

function openReputation(settings: ReputationSettings = {}): Reputation {
  return new Reputation({ ...settings, store: settings.store ?? new MemoryReputationStore() })
}

function openBook(settings: PeerSettings = {}): PeerBook {
  const { store = new MemoryPeerStore(), onStoreError = () => undefined } = settings
  return new PeerBook({ store, onStoreError, now: SYSTEM_CLOCK.now })
}

interface Parts {
  network: Network
  reputation: Reputation
  book: PeerBook
}

class NetworkClient implements Client {
  readonly #network: Network
  readonly #directory: Directory
  readonly #reputation: Reputation
  readonly #selector: Selector
  readonly #auditing: Auditing
  readonly #user: UserNodes
  readonly #timeouts: PhaseTimeouts
  readonly #listeners = new Set<(judged: Judged) => void>()
  readonly #stopped = new AbortController()
  #stopping: Promise<void> | undefined

  constructor({ network, reputation, book }: Parts, options: ClientOptions) {
    const { mode, localNode, trusted = [], auditor, timeouts } = options
    this.#network = network
    this.#directory = new Directory({
      network,
      random: Math.random,
      book,
      clocks: new ClockComparison({ ...SYSTEM_CLOCK, onChange: options.onClockSkew })
    })
    this.#reputation = reputation
    this.#user = { localNode, trusted: new Set(trusted) }
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts }
    this.#selector = new Selector({
      reputation,
      directory: this.#directory,
      user: this.#user,
      now: SYSTEM_CLOCK.now,
      random: Math.random,
      suspension: watchSuspension(network, this.#directory, this.#stopped.signal),
      ...(mode && { mode })
    })
    this.#auditing = new Auditing({
      reputation,
      auditor,
      otherAuditors: (digest, audited, ask) => this.#otherAuditors(digest, audited, ask),
      ask: async (peer, digest, ask, signal) => {
        const candidate = this.#serving(digest).find((one) => one.peer === peer)
        if (candidate === undefined) throw new PotluckError('no_providers', 'the node is not known now')
        return await askNode(this.#ranked(candidate, workloadOf(ask)), ask, this.#attempts(signal))
      },
      isOwn: (peer) => peer === localNode,
      onJudged: (judged) => this.#listeners.forEach((listener) => listener(judged)),
      random: Math.random
    })
  }

  chat(options: ChatOptions): Answer {
    return this.#ask(options)
  }

  complete(options: CompletionOptions): Answer {
    return this.#ask(options)
  }

  async embed(options: EmbedOptions): Promise<EmbedResult> {
    return await embed(options, {
      network: this.#network,
      directory: this.#directory,
      selector: this.#selector,
      clock: SYSTEM_CLOCK,
      timeouts: this.#timeouts,
      signal: this.#until(options.signal)
    })
  }

  async *nodes({ signal }: FindOptions = {}): AsyncGenerator<KnownNode> {
    yield* this.#directory.find({ kind: 'nodes' }, { signal: this.#until(signal) })
  }

  async models(options: FindOptions = {}): Promise<ModelView[]> {
    const nodes: KnownNode[] = []
    for await (const node of this.nodes(options)) nodes.push(node)
    return toModelViews(nodes)
  }

  standing(): PeerStanding[] {
    return peerStandings(this.#reputation, this.#directory.known(), this.#user)
  }

  explain(peerId: string): string[] {
    return this.standing()
      .filter((one) => one.peerId === peerId)
      .flatMap(({ reasons }) => reasons)
  }

  proofs(): Proof[] {
    return this.#auditing.proofs()
  }

  onJudged(listener: (judged: Judged) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async audited(): Promise<void> {
    await this.#auditing.idle()
  }

  async stop(): Promise<void> {
    await (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#stopped.abort(new PotluckError('aborted', 'the client was stopped'))
    this.#directory.stop()
    await this.#auditing.stop()
    await this.#network.stop()
    this.#reputation.close()
  }

  #ask(options: ChatOptions | CompletionOptions): Answer {
    const ask = toAsk(options)
    return new Answer(
      (signal) =>
        generate(ask, {
          ...this.#attempts(signal),
          directory: this.#directory,
          selector: this.#selector,
          canAudit: (asked, digest, serving) => this.#auditing.canAudit(asked, digest, serving),
          onAnswer: (answer) => this.#auditing.answered(answer)
        }),
      this.#until(options.signal)
    )
  }

  #attempts(signal: AbortSignal): AttemptContext {
    return {
      send: (node, request, options) => sendRequest(node, request, { ...options, network: this.#network }),
      selector: this.#selector,
      clock: SYSTEM_CLOCK,
      timeouts: this.#timeouts,
      signal
    }
  }

  /** The nodes that serve the digest now, whatever their standing: a probe must reach quarantined nodes. */
  #serving(digest: string): Candidate[] {
    return this.#directory.known().flatMap((node) => {
      const model = node.card.models.find((one) => formatDigest(one.digest) === digest)
      return model === undefined ? [] : [this.#selector.candidate(node, model)]
    })
  }

  /** Nodes that can score tokens, and that support what the audited request used. */
  #otherAuditors(digest: string, audited: string, ask: Ask): OtherAuditor[] {
    const bytes = parseDigest(digest)
    if (bytes === undefined) return []
    const requirements = { features: ['score' as const, ...requiredFeatures(ask)], maxTokens: undefined }
    const candidates = this.#selector.candidates(
      this.#directory.known(),
      { kind: 'digest', digest: bytes },
      requirements
    )
    return candidates
      .filter(({ peer, notBefore }) => peer !== audited && notBefore <= SYSTEM_CLOCK.now())
      .map((candidate) =>
        otherAuditor(this.#ranked(candidate, AUDIT_WORKLOAD), {
          network: this.#network,
          selector: this.#selector,
          timeouts: this.#timeouts
        })
      )
  }

  /** Adds predicted times to a candidate that the client did not choose by the order, for example for a probe. */
  #ranked(candidate: Candidate, work: Workload): RankedCandidate {
    const [ranked] = this.#selector.rank([candidate], work)
    if (ranked === undefined) throw new TypeError('rank must return its only candidate')
    return ranked
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#stopped.signal : AbortSignal.any([this.#stopped.signal, signal])
  }
}
