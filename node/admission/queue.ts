/**
 * The fair, bounded queue in front of the engine's slots.
 *
 * Waiting peers form a ring, and each peer has its own line of requests. A free slot goes to the next peer of the ring,
 * which then moves to the end of the ring. So in each round a peer with a hundred requests gets one turn, like a peer
 * with one request. For example, the third request of a peer waits for the first two requests of that peer, and for at
 * most three requests of every other peer. The ring takes memory only for peers that wait.
 *
 * `enter` calls a function when a slot is free. It uses no timers and no promises, so that the simulator can run the
 * queue on its own clock. `join` does the same, but returns a promise for the slot.
 */
import { PotluckError, type Load } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

import { INITIAL_SERVICE_MS, SERVICE_TIME_WEIGHT } from '../limits/limits.ts'

export interface QueueOptions {
  /** Requests that run at once. */
  slots: number
  /** The most requests of all peers together that can wait. */
  capacity: number
  /** Milliseconds; any origin. */
  now: () => number
}

/** The place of a request in the queue or in a slot. */
export interface Place {
  /** Requests that start before this one, if no other request arrives. Also 0 if this request is in a slot. */
  position: () => number
  /** Milliseconds until this request starts, estimated from recent service times. 0 if it is in a slot. */
  estimatedWaitMs: () => number
  /** Gives up the place or the slot. Repeated calls have no effect. */
  leave: () => void
}

export interface JoinedPlace extends Place {
  /**
   * Resolves when the request has a slot.
   *
   * @throws PotluckError `aborted` as soon as the signal fires
   */
  slot: (closed: AbortSignal) => Promise<void>
}

interface Entry {
  peer: string
  start: () => void
  startedAt: number | undefined
}

export class FairQueue {
  readonly #options: QueueOptions
  /** The line of each waiting peer, in the order of the peers' next turns. No line is empty. */
  readonly #ring = new Map<string, Entry[]>()
  readonly #active = new Set<Entry>()
  #queued = 0
  #serviceMs = INITIAL_SERVICE_MS

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** True if `enter` would return undefined. */
  get full(): boolean {
    return this.#queued >= this.#options.capacity && this.#active.size >= this.#options.slots
  }

  /**
   * The pause that the node suggests to a refused caller, in milliseconds: the time until half of the waiting requests
   * have started. After a shorter pause, all refused callers would compete for one place.
   */
  get retryAfterMs(): number {
    return Math.ceil(this.#waitFor(Math.floor(this.#queued / 2)))
  }

  /** @throws PotluckError `busy`, with the time to retry, if the queue is full */
  checkRoom(): void {
    if (this.full) throw new PotluckError('busy', 'the queue is full', { retryAfterMs: this.retryAfterMs })
  }

  /**
   * Takes a place, and a slot as soon as one is free.
   *
   * @throws PotluckError `busy` if the queue is full
   */
  join(peer: string): JoinedPlace {
    this.checkRoom()
    const slot = Promise.withResolvers<void>()
    const place = this.#add(peer, slot.resolve)
    const translateError = (): PotluckError => new PotluckError('aborted', 'the stream is closed')
    return { ...place, slot: async (closed) => await raceSignal(slot.promise, closed, { translateError }) }
  }

  /**
   * Takes a place, and calls `start` once when a slot is free, perhaps before `enter` returns. `start` is not called
   * after `leave`.
   *
   * @returns undefined if the queue is full
   */
  enter(peer: string, start: () => void): Place | undefined {
    return this.full ? undefined : this.#add(peer, start)
  }

  #add(peer: string, start: () => void): Place {
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

  /** The current load. The estimated wait is for a peer that has no request in the queue yet. */
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

  /** Counts the waiting requests that start before `entry`, if no other request arrives. */
  #position(entry: Entry): number {
    const turns = this.#ring.get(entry.peer)?.indexOf(entry) ?? -1
    if (turns === -1) return 0
    // The peer's own earlier requests, each of which takes one of the peer's turns.
    let ahead = turns
    // Meanwhile a peer behind this peer in the ring gets as many turns. A peer before this peer gets one turn more.
    let before = true
    for (const [peer, line] of this.#ring) {
      if (peer === entry.peer) before = false
      else ahead += Math.min(line.length, before ? turns + 1 : turns)
    }
    return ahead
  }

  /**
   * Milliseconds until a request starts that has `ahead` waiting requests before it. Assumes that each request takes
   * the mean service time.
   */
  #waitFor(ahead: number): number {
    const now = this.#options.now()
    const free = [...this.#active].map((entry) => {
      const left = this.#serviceMs - (now - (entry.startedAt ?? now))
      // For a request that already takes longer than the mean, the estimate of the rest is half of its time so far.
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
