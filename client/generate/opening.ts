/**
 * From the choice of a node to the first token of one. Until then nothing is lost but time, so
 * several nodes may take part:
 *
 * - one that refuses or fails is followed by the next
 * - beside one that is late beyond what is usual, a second is asked, within a budget: a hedge
 * - one that lets wait is left for one that would be quicker, after some were asked for their load
 *
 * The first token decides; whoever else was asked is left.
 */
import { PotluckError } from '@potluck/protocol'
import { pushable, type Pushable } from 'it-pushable'

import type { Directory } from '../discover/directory.ts'
import { LOOK_AROUND_MS, MAX_MOVES, type NodeChoice, type Offer, type Selector } from '../select/index.ts'
import type { AttemptEvent } from './attempt.ts'
import type { Candidates } from './candidates.ts'
import type { AcceptedPart } from './parts.ts'
import { Trial, type Sent, type TrialContext } from './trial.ts'

export interface OpeningContext extends TrialContext {
  directory: Pick<Directory, 'reportLoad' | 'look'>
  selector: Pick<Selector, 'begin' | 'hedgeAfterMs' | 'takeHedge' | 'lookAround' | 'better'>
}

/** What the request is to each node, and what becomes of it. */
export interface OpeningEvents {
  /** The request to such a node. */
  sent: (choice: NodeChoice<Offer>) => Omit<Sent, 'hedge'>
  /** @throws the failure where no other node may be tried */
  failed: (trial: Trial, error: PotluckError) => void
  part: (trial: Trial, accepted: Extract<AttemptEvent, { type: 'accepted' }>) => AcceptedPart
}

/** Who gave the first token, or the end of an answer without any. */
export interface Opened {
  trial: Trial
  first: AttemptEvent
}

type Happening =
  | { type: 'event'; trial: Trial; event: AttemptEvent }
  | { type: 'failed'; trial: Trial; error: unknown }
  | { type: 'late'; trial: Trial }
  | { type: 'waiting'; trial: Trial }
  | { type: 'looked'; trial: Trial; others: readonly Offer[] }

type CandidatesView = Pick<Candidates, 'next' | 'peek' | 'take' | 'renewed' | 'selection'>

export class Opening {
  readonly #candidates: CandidatesView
  readonly #events: OpeningEvents
  readonly #context: OpeningContext
  readonly #running = new Set<Trial>()
  readonly #happenings: Pushable<Happening> = pushable<Happening>({ objectMode: true })
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  /** Whose `accepted` the caller has seen last. */
  #announced: Trial | undefined
  #hedged = false
  #moves = 0
  #looked = 0

  constructor(candidates: CandidatesView, events: OpeningEvents, context: OpeningContext) {
    this.#candidates = candidates
    this.#events = events
    this.#context = context
  }

  /**
   * Yields an `accepted` for each node that the answer may come from now.
   *
   * @throws PotluckError when nobody is left to ask, or another node cannot help
   */
  async *run(): AsyncGenerator<AcceptedPart, Opened, void> {
    try {
      for (;;) {
        if (this.#running.size === 0) await this.#candidates.next((choice) => this.#start(choice, false))
        const { value: happening } = await this.#happenings.next()
        // Nobody ends the queue, and what was left may still be heard of.
        if (happening === undefined || !this.#running.has(happening.trial)) continue
        const { trial } = happening
        const opened = this.#handle(happening)
        if (opened !== undefined) for (const other of this.#running) if (other !== trial) this.#leave(other)
        // While two run, the caller is not told of the second: the first may win yet.
        const [only] = this.#running.size === 1 ? this.#running : []
        if (only?.accepted !== undefined && only !== this.#announced) {
          this.#announced = only
          yield this.#events.part(only, only.accepted)
        }
        if (opened === undefined) continue
        this.#running.delete(trial)
        return opened
      }
    } finally {
      for (const timer of this.#timers) clearTimeout(timer)
      await Promise.all([...this.#running].map(async (trial) => await trial.close()))
    }
  }

  #handle(happening: Happening): Opened | undefined {
    const { trial } = happening
    switch (happening.type) {
      case 'event': {
        const { event } = happening
        if (event.type === 'delta' || event.type === 'done') return { trial, first: event }
        if (event.type === 'accepted') this.#after(LOOK_AROUND_MS, { type: 'waiting', trial })
        return undefined
      }
      case 'failed': {
        this.#running.delete(trial)
        const { error } = happening
        if (!(error instanceof PotluckError)) throw error
        this.#events.failed(trial, error)
        return undefined
      }
      case 'late':
        this.#hedge()
        return undefined
      case 'waiting':
        this.#lookAround(trial)
        return undefined
      case 'looked':
        this.#move(trial, happening.others)
        return undefined
    }
  }

  #start(choice: NodeChoice<Offer>, hedge: boolean): void {
    const trial = new Trial(choice, { ...this.#events.sent(choice), hedge }, this.#context)
    this.#running.add(trial)
    const lateMs = this.#hedged ? Infinity : this.#context.selector.hedgeAfterMs(choice)
    if (lateMs !== Infinity) this.#after(lateMs, { type: 'late', trial })
    void this.#listen(trial)
  }

  /** No further than the first token: what follows is the reader's to take. */
  async #listen(trial: Trial): Promise<void> {
    try {
      for (;;) {
        const event = await trial.next()
        this.#happenings.push({ type: 'event', trial, event })
        if (event.type === 'delta' || event.type === 'done') return
      }
    } catch (error) {
      this.#happenings.push({ type: 'failed', trial, error })
    }
  }

  #hedge(): void {
    const [other] = this.#candidates.peek(0, 1)
    if (this.#hedged || other === undefined || !this.#context.selector.takeHedge(other)) return
    this.#hedged = true
    this.#start(this.#candidates.take(other), true)
  }

  #lookAround(trial: Trial): void {
    if (this.#running.size > 1 || this.#moves >= MAX_MOVES) return
    const others = this.#context.selector.lookAround(trial.record, (count) => {
      const next = this.#candidates.peek(this.#looked, count)
      // When all were asked, the best are asked again.
      this.#looked = next.length < count ? 0 : this.#looked + count
      return next
    })
    if (others.length === 0) return this.#after(LOOK_AROUND_MS, { type: 'waiting', trial })
    const peers = others.map(({ peer }) => peer)
    void this.#context.directory.look(peers, this.#context.signal).then((sightings) => {
      this.#happenings.push({ type: 'looked', trial, others: this.#candidates.renewed(sightings) })
    })
  }

  #move(from: Trial, others: readonly Offer[]): void {
    const better = this.#context.selector.better(from.record, others, this.#candidates.selection)
    if (better === undefined || this.#running.size > 1)
      return this.#after(LOOK_AROUND_MS, { type: 'waiting', trial: from })
    this.#moves++
    this.#leave(from)
    this.#start(this.#candidates.take(better), false)
  }

  #leave(trial: Trial): void {
    this.#running.delete(trial)
    trial.leave()
  }

  #after(ms: number, happening: Happening): void {
    const timer = setTimeout(() => this.#happenings.push(happening), ms)
    this.#timers.add(timer)
  }
}
