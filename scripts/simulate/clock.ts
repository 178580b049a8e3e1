/** Virtual time: events in a binary heap. Events at the same time run in the order in which they were added. */
import type { Clock as ClientClock } from '../../client/base/clock.ts'
import { raceAbort } from '../../client/base/race-abort.ts'

interface Event {
  at: number
  order: number
  run: () => void
}

/** Also the clock that the simulator passes to the client's code. */
export class Clock implements ClientClock {
  readonly #heap: Event[] = []
  #now = 0
  #planned = 0

  /** Milliseconds. */
  readonly now = (): number => this.#now

  readonly monotonic = (): number => this.#now

  readonly sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.after(ms, resolve)
    await raceAbort(promise, signal)
  }

  after(delayMs: number, run: () => void): void {
    this.#push({ at: this.#now + Math.max(0, delayMs), order: this.#planned++, run })
  }

  /**
   * Runs every event up to a time, including events that are added meanwhile. After each event it waits until all
   * promise callbacks have run. The client's code is asynchronous, and must run at the virtual time of the event that
   * started it.
   */
  async runUntil(end: number): Promise<void> {
    for (let event = this.#heap[0]; event !== undefined && event.at <= end; event = this.#heap[0]) {
      this.#pop()
      this.#now = event.at
      event.run()
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    this.#now = Math.max(this.#now, end)
  }

  #push(event: Event): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
