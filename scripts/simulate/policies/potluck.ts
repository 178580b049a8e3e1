/**
 * Adapts the client's own code (`client/reputation`, `client/select`) to the simulator's interface.
 *
 * Assumption: the client receives the load of a peer with every answer, and the loads of all peers every
 * minute, because it refreshes the cards.
 */
import type { Load } from '@potluck/protocol'
import {
  MemoryReputationStore,
  Reputation,
  type Claims,
  type ReputationStore
} from '../../../client/reputation/index.ts'
import { Selector, type KnownNode, type NodeChoice, type SelectionRequest } from '../../../client/select/index.ts'
import type { Ask, Attempt, Candidate, Policy, PolicyContext, PublicPeer } from './policy.ts'

/** All peers of a simulation serve one model. */
export const DIGEST: string = 'sha256:simulated'
const LOAD_REFRESH_MS = 60_000

export class PotluckPolicy implements Policy {
  readonly reputation: Reputation
  readonly #context: PolicyContext
  readonly #selector: Selector
  readonly #nodes = new Map<string, SimNode>()
  #refreshedAt = -Infinity

  constructor(context: PolicyContext, store: ReputationStore = new MemoryReputationStore()) {
    this.#context = context
    this.reputation = new Reputation({ store, now: context.now })
    this.#selector = new Selector({
      reputation: this.reputation,
      now: context.now,
      random: context.random
    })
  }

  *candidates(ask: Ask): Generator<SimCandidate, void, void> {
    for (const choice of this.#selector.order(this.#known(), toRequest(ask))) {
      yield { peer: choice.contender.node.subject, key: choice.contender.peer, choice }
    }
  }

  begin(candidate: Candidate, ask: Ask, hedge: boolean): Attempt {
    const { choice } = own(candidate)
    const { now } = this.#context
    const { node } = choice.contender
    const request = toRequest(ask)
    const record = this.#selector.begin(choice, request, hedge)
    return {
      accepted: (estimatedWaitMs, load) => {
        node.reported(load, now())
        record.accepted(estimatedWaitMs)
      },
      firstToken: () => record.firstToken(),
      complete: (cachedTokens, decodeMs) =>
        record.complete({
          promptTokens: ask.promptTokens,
          cachedTokens,
          completionTokens: ask.answerTokens,
          decodeMs,
          longestGapMs: (2 * decodeMs) / ask.answerTokens,
          prefixKey: ask.conversation
        }),
      failed: (code, retryAfterMs) => record.failed(code, retryAfterMs),
      left: () => record.left(),
      hedgeAfterMs: () => this.#selector.hedgeAfterMs(choice),
      lookAround: (next) => {
        const others = this.#selector.lookAround(record, (count) => next(count).map((other) => own(other).choice))
        if (others.length === 0) return undefined
        return {
          afterMs: Math.max(...others.map(({ roundTripMs }) => roundTripMs)),
          decide: () => {
            for (const other of others) other.reported(other.subject.load(), now())
            const better = this.#selector.better(record, others, request)
            return better && { peer: better.contender.node.subject, key: better.contender.peer, choice: better }
          }
        }
      }
    }
  }

  takeHedge(to: Candidate): boolean {
    return this.#selector.takeHedge(own(to).choice)
  }

  #known(): SimNode[] {
    const now = this.#context.now()
    const refresh = now - this.#refreshedAt > LOAD_REFRESH_MS
    if (refresh) this.#refreshedAt = now
    return this.#context.peers().map((peer) => {
      let node = this.#nodes.get(peer.key)
      if (node === undefined) this.#nodes.set(peer.key, (node = new SimNode(peer, now)))
      else if (refresh) node.reported(peer.load(), now)
      return node
    })
  }
}

export interface SimCandidate extends Candidate {
  choice: NodeChoice<SimNode>
}

/** The simulator passes only candidates back that this policy created. */
function own(candidate: Candidate): SimCandidate {
  return candidate as SimCandidate
}

function toRequest({ conversation, promptTokens, answerTokens }: Ask): SelectionRequest {
  return { promptTokens, maxTokens: undefined, answerTokens, prefixKeys: [conversation], auditable: true }
}

export class SimNode implements KnownNode {
  readonly digest: string = DIGEST
  readonly local: boolean = false
  readonly trusted: boolean = false
  readonly draining: boolean = false
  readonly suitable: boolean = true
  readonly contextLength: number = Infinity
  readonly subject: PublicPeer
  readonly peer: string
  load: Load
  loadAt: number

  constructor(subject: PublicPeer, now: number) {
    this.subject = subject
    this.peer = subject.key
    this.load = subject.load()
    this.loadAt = now
  }

  get claims(): Claims {
    return this.subject.claims
  }

  get roundTripMs(): number {
    return this.subject.roundTripMs
  }

  reported(load: Load, now: number): void {
    this.load = load
    this.loadAt = now
  }
}
