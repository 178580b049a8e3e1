/**
 * The fair bounded queue in front of the engine's slots.
 *
 * Peers that wait stand in a ring, each with its own line. A free slot goes to the next peer of the
 * ring, which then steps to the ring's end: a peer with a hundred requests gets one turn a round, like
 * a peer with one, and nobody waits for more than one request of every other peer per request of its own.
 * The ring costs memory only for peers that wait. No timers, no promises: time comes from `now`.
 */
import type { Load } from '@potluck/protocol'

import { INITIAL_SERVICE_MS, SERVICE_TIME_WEIGHT } from '../limits.ts'

export interface QueueOptions {
  /** Requests that run at once. */
  slots: number
  /** Requests that wait at most, over all peers. */
  capacity: number
  /** Milliseconds; any origin. */
  now: () => number
}

/** A request's place, from `enter` to `leave`. */
export interface Place {
  /** Requests that will start before it, as things stand now. 0 also if it runs already. */
  position: () => number
  /** Milliseconds until it starts, from the recent service times; 0 if it runs already. */
  estimatedWaitMs: () => number
  /** Gives up the place, or the slot. May be called again. */
  leave: () => void
}

interface Entry {
  peer: string
  start: () => void
  startedAt: number | undefined
}

export class FairQueue {
  readonly #options: QueueOptions
  /** In the order of their next turns; no line is empty. */
  readonly #ring = new Map<string, Entry[]>()
  readonly #active = new Set<Entry>()
  #queued = 0
  #serviceMs = INITIAL_SERVICE_MS

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Whether `enter` would refuse. */
  get full(): boolean {
    return this.#queued >= this.#options.capacity && this.#active.size >= this.#options.slots
  }

  /** When half of a full queue will have gone: earlier, all who were refused would meet at one place. */
  get retryAfterMs(): number {
    return Math.ceil(this.#waitFor(Math.floor(this.#queued / 2)))
  }

  /**
   * Takes a place for `peer`. `start` is called once, as soon as a slot is free (perhaps before `enter`
   * returns), unless the place was left before.
   *
   * @returns undefined if the queue is full
   */
  enter(peer: string, start: () => void): Place | undefined {
    if (this.full) return undefined
    const entry: Entry = { peer, start, startedAt: undefined }
    const line = this.#ring.get(peer)
    if (line === undefined) this.#ring.set(peer, [entry])
    else line.push(entry)
    this.#queued++
    this.#dispatch()
    return {
      position: () => this.#position(entry),
      estimatedWaitMs: () => (this.#waits(entry) ? this.#waitFor(this.#position(entry)) : 0),
      leave: () => this.#leave(entry)
    }
  }

  /** As a peer would meet it that came now and has nothing in the queue. */
  load(): Load {
    const { slots } = this.#options
    const free = this.#active.size < slots
    return {
      active: this.#active.size,
      queued: this.#queued,
      slots,
      estimatedWaitMs: free ? 0 : Math.round(this.#waitFor(this.#ring.size))
    }
  }

  #dispatch(): void {
    while (this.#active.size < this.#options.slots) {
      const turn = this.#ring.entries().next().value
      if (turn === undefined) return
      const [peer, line] = turn
      const entry = line.shift()
      this.#ring.delete(peer)
      if (line.length > 0) this.#ring.set(peer, line)
      if (entry === undefined) continue
      this.#queued--
      entry.startedAt = this.#options.now()
      this.#active.add(entry)
      entry.start()
    }
  }

  #leave(entry: Entry): void {
    if (this.#active.delete(entry)) {
      const tookMs = this.#options.now() - (entry.startedAt ?? 0)
      this.#serviceMs += SERVICE_TIME_WEIGHT * (tookMs - this.#serviceMs)
      this.#dispatch()
      return
    }
    const line = this.#ring.get(entry.peer)
    const index = line?.indexOf(entry) ?? -1
    if (line === undefined || index === -1) return
    line.splice(index, 1)
    this.#queued--
    if (line.length === 0) this.#ring.delete(entry.peer)
  }

  #waits(entry: Entry): boolean {
    return this.#ring.get(entry.peer)?.includes(entry) ?? false
  }

  /** Peers before it in the ring get one turn more than those behind. */
  #position(entry: Entry): number {
    const turns = this.#ring.get(entry.peer)?.indexOf(entry) ?? -1
    if (turns === -1) return 0
    let ahead = turns
    let before = true
    for (const [peer, line] of this.#ring) {
      if (peer === entry.peer) before = false
      else ahead += Math.min(line.length, before ? turns + 1 : turns)
    }
    return ahead
  }

  /** Milliseconds until `ahead` requests and then one more have started, each taking the mean time. */
  #waitFor(ahead: number): number {
    const now = this.#options.now()
    const free = [...this.#active].map((entry) => {
      const left = this.#serviceMs - (now - (entry.startedAt ?? now))
      // One that takes longer than the mean is not about to end: half of what it took already is a fair guess.
      return left > 0 ? left : (now - (entry.startedAt ?? now)) / 2
    })
    while (free.length < this.#options.slots) free.push(0)
    for (let turn = 0; ; turn++) {
      const soonest = Math.min(...free)
      if (turn === ahead) return soonest
      free[free.indexOf(soonest)] = soonest + this.#serviceMs
    }
  }
}
