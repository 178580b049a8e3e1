/** Which nodes a request may go to, and which of them is next. */
import type { ErrorCode, PotluckError } from '@potluck/protocol'

import { MAX_ATTEMPTS, MAX_BUSY_WAIT_MS } from '../constants.ts'
import type { Sighting } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import { wantCid, type Want } from '../discover/want.ts'
import { raceAbort } from '../race-abort.ts'
import { requiredFeatures, type Ask } from '../request.ts'
import {
  ambiguous,
  offersOf,
  settleModel,
  type Friends,
  type NodeChoice,
  type Offer,
  type Refusal,
  type SelectionRequest,
  type Selector
} from '../select/index.ts'
import type { Draft } from './draft.ts'
import { isBusy, nobodyLeft } from './nobody-left.ts'

export interface CandidatesContext {
  directory: Pick<Directory, 'gather' | 'known'>
  selector: Pick<Selector, 'order' | 'refusal'>
  friends: Friends
  /** Whether an answer by one of so many nodes that serve the model could be audited; `digest` is `sha256:…`. */
  auditable: (ask: Ask, digest: string, serving: number) => boolean
  /** Milliseconds since the epoch. */
  now: () => number
  signal: AbortSignal
}

/** What a network does, too, that comes back: a relay that restarts, a home that gets another address. */
const PASSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['token_timeout', 'stream_cut'])

type DraftView = Pick<Draft, 'want' | 'selection' | 'letOtherModels'>

export class Candidates {
  readonly #ask: Ask
  readonly #draft: DraftView
  readonly #failures: readonly PotluckError[]
  readonly #context: CandidatesContext
  /** By peer id. */
  readonly #tried = new Map<string, Offer>()
  readonly #askedAgain = new Set<string>()
  /** Who would have the model, but is not to be asked: by peer id. */
  readonly #refused = new Map<string, Refusal>()
  /** How long all that are left want to be left alone, milliseconds. */
  #restingMs: number | undefined
  /** Of one model, those that were known when the last one was chosen. */
  #offers: readonly Offer[] = []

  constructor(ask: Ask, draft: DraftView, failures: readonly PotluckError[], context: CandidatesContext) {
    this.#ask = ask
    this.#draft = draft
    this.#failures = failures
    this.#context = context
  }

  /**
   * The best that was not tried; looked for again when all that were known have failed. Those that
   * were busy, fell silent or were cut off in an answer are given once more, for there is nobody else:
   * after the time that they named, unless it is far.
   *
   * @param start is given the choice in the same turn in which it was made: of requests that come at
   *   once, each has to see where the others went, or all go to the same node
   * @throws PotluckError the most telling failure when nobody is left, `invalid_request` where a name
   *   stands for several models, and what `gather` throws
   */
  async next(start: (choice: NodeChoice<Offer>) => void): Promise<void> {
    const { length } = this.#failures
    for (const fresh of [false, true]) {
      if (length >= MAX_ATTEMPTS) break
      this.#offers = await this.#settled(fresh)
      const [choice] = this.peek(0, 1)
      if (choice === undefined) continue
      if (choice.why !== 'resting' || (await this.#rested(choice))) return start(this.take(choice))
    }
    if (length < MAX_ATTEMPTS && (this.#askAgain() || this.#draft.letOtherModels())) return await this.next(start)
    throw nobodyLeft(this.#draft.want, this.#failures, { refused: this.#refused, restingMs: this.#restingMs })
  }

  /** Of the nodes that are known now, best first, some from a place on. */
  peek(from: number, count: number): Array<NodeChoice<Offer>> {
    const untried = this.#offers.filter((offer) => this.#mayBeTried(offer))
    const choices: Array<NodeChoice<Offer>> = []
    for (const choice of this.#context.selector.order(untried, this.selection)) {
      choices.push(choice)
      // The order is worked out only as far as it is asked for.
      if (choices.length === from + count) break
    }
    return choices.slice(from)
  }

  /** The choice, which is not given again. */
  take(choice: NodeChoice<Offer>): NodeChoice<Offer> {
    this.#tried.set(choice.contender.peer, choice.contender.node)
    return choice
  }

  /** What is asked, as selection sees it. */
  get selection(): SelectionRequest {
    const digest = this.#offers[0]?.digest ?? ''
    const serving = this.#offers.length + this.#tried.size
    return this.#draft.selection(digest, this.#context.auditable(this.#ask, digest, serving))
  }

  /** The offers of nodes that were seen anew. */
  renewed(sightings: readonly Sighting[]): Offer[] {
    const digest = this.#offers[0]?.model.digest
    return digest === undefined ? [] : this.#offersOf(sightings, { kind: 'digest', digest })
  }

  async #settled(fresh: boolean): Promise<readonly Offer[]> {
    const { want } = this.#draft
    // A node that fails is followed at once by another that is known to have the model.
    const known = fresh ? [] : this.renewed(this.#context.directory.known())
    if (known.length > 0) return known
    const offers = await this.#gather(want, { fresh })
    const settled = settleModel(offers, want)
    if (settled !== undefined) return settled
    // The nodes that are still to be found may make a majority.
    const all = await this.#gather(want, { fresh: false, whole: true })
    const settledOfAll = settleModel(all, want)
    if (settledOfAll === undefined) throw ambiguous(all)
    return settledOfAll
  }

  async #gather(want: Want, options: { fresh: boolean; whole?: boolean }): Promise<Offer[]> {
    const { directory, signal } = this.#context
    const suitable = (sighting: Sighting): boolean => this.#offersOf([sighting], want).length > 0
    return this.#offersOf(await directory.gather(wantCid(want), suitable, { signal, ...options }), want)
  }

  /** Those that may be asked; the others are noted with the reason. */
  #offersOf(sightings: readonly Sighting[], want: Want): Offer[] {
    const { selector, friends } = this.#context
    return sightings
      .flatMap((sighting) => offersOf(sighting, want, requiredFeatures(this.#ask), friends))
      .filter((offer) => {
        if (!this.#mayBeTried(offer)) return false
        const refusal = selector.refusal(offer, this.#ask)
        if (refusal !== undefined) this.#refused.set(offer.peer, refusal)
        return refusal === undefined
      })
  }

  #mayBeTried({ peer, contextLength }: Offer): boolean {
    return !this.#tried.has(peer) && contextLength > this.#longestRefused()
  }

  /** The longest context that was too short: a node that holds no more need not be asked. */
  #longestRefused(): number {
    const refused = this.#failures.filter(({ code }) => code === 'context_length_exceeded')
    return Math.max(0, ...refused.map(({ peer }) => this.#tried.get(peer ?? '')?.contextLength ?? 0))
  }

  /** Waits as long as all that are left asked to be left alone; false where that is too long. */
  async #rested({ contender: { notBefore } }: NodeChoice<Offer>): Promise<boolean> {
    const { now, signal } = this.#context
    const waitMs = notBefore - now()
    // The caller, who is told the time, knows better whether to wait that long.
    if (waitMs > MAX_BUSY_WAIT_MS) {
      this.#restingMs = waitMs
      return false
    }
    await delay(waitMs, signal)
    return true
  }

  #askAgain(): boolean {
    const passing = this.#failures.filter((error) => isBusy(error) || PASSES.has(error.code))
    const again = passing.flatMap(({ peer }) => peer ?? [])
    const first = again.filter((peer) => this.#tried.has(peer) && !this.#askedAgain.has(peer))
    for (const peer of first) {
      this.#askedAgain.add(peer)
      this.#tried.delete(peer)
    }
    return first.length > 0
  }
}

async function delay(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await raceAbort(promise, signal)
  } finally {
    clearTimeout(timer)
  }
}
