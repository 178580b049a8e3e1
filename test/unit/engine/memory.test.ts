import { describe, expect, it } from 'vitest'
import { conversationsThatFit } from '../../../node/engine/capacity.ts'
import { MOST_REMEMBERED } from '../../../node/engine/constants.ts'
import { ConversationMemory, leastWorthCopying, type Placement } from '../../../node/engine/memory.ts'
import { commonPrefix } from '../../../node/engine/slots.ts'

interface Sequence {
  id: number
  cached: readonly number[]
  busy: boolean
}

interface Begun extends Placement<Sequence> {
  tokens: readonly number[]
  cachedTokens: number
}

const LEAST = 16

/** An engine's sequences, and a request's way through them. */
class Engine {
  readonly sequences: Sequence[]
  readonly memory: ConversationMemory<Sequence>

  constructor(slots: number, kept: number) {
    this.sequences = Array.from({ length: slots + kept }, (_, id) => ({ id, cached: [], busy: false }))
    this.memory = new ConversationMemory(this.sequences.slice(0, slots), this.sequences.slice(slots), LEAST)
  }

  /** Its slot still holds what it held. */
  begin(tokens: readonly number[]): Begun {
    const placement = this.memory.place(tokens)!
    placement.slot.busy = true
    for (const { from, to } of placement.copies) to.cached = from.cached
    return { ...placement, tokens, cachedTokens: commonPrefix(placement.slot.cached, tokens) }
  }

  end({ slot, tokens }: Begun, answer: readonly number[]): void {
    slot.cached = [...tokens, ...answer]
    slot.busy = false
    this.memory.leave(slot)
  }

  /** A whole turn; returns the tokens that were found. */
  ask(tokens: readonly number[], answer: readonly number[] = []): number {
    const placement = this.begin(tokens)
    this.end(placement, answer)
    return placement.cachedTokens
  }
}

/** Another text for every salt, from its first token on. */
const text = (salt: number, length = 100): number[] => Array.from({ length }, (_, index) => salt * 1000 + index)

describe('conversations that lost their slot', () => {
  it('are found again, as many as there are sequences for them', () => {
    const engine = new Engine(1, 3)
    for (const salt of [1, 2, 3, 4, 5]) engine.ask(text(salt), text(salt + 50))
    // One is in the slot, three are remembered, of which one makes room when two change places.
    const found = [5, 4, 3, 2, 1].map((salt) => engine.ask([...text(salt), ...text(salt + 50), 7, 8, 9]))
    expect(found).toEqual([200, 200, 200, 0, 0])
  })

  it('are forgotten in the order in which they were used last', () => {
    const engine = new Engine(1, 3)
    for (const salt of [1, 2, 3]) engine.ask(text(salt))
    engine.ask([...text(1), 1])
    engine.ask(text(4))
    engine.ask(text(5))
    expect([1, 4, 2, 3].map((salt) => engine.ask([...text(salt), 9]))).toEqual([100, 100, 0, 0])
  })

  it('take one place each, however many turns they have', () => {
    const engine = new Engine(1, 3)
    let [one, two] = [text(1), text(2)]
    engine.ask(text(3))
    for (let turn = 0; turn < 5; turn++) {
      engine.ask((one = [...one, ...text(turn + 10)]))
      engine.ask((two = [...two, ...text(turn + 20)]))
    }
    expect(engine.ask([...text(3), 9])).toBe(100)
  })

  it('leave nothing behind of an answer that is left out when they go on', () => {
    const engine = new Engine(1, 3)
    const opening = [5, 6, 7]
    engine.ask([...text(1), ...opening], text(8))
    engine.ask(text(2))
    // The same question again: of the first answer nothing is kept.
    for (let times = 0; times < 5; times++) engine.ask([...text(3), ...opening], text(10 + times))
    engine.ask([...text(3), 5, 6, ...text(4)])
    expect(engine.ask([...text(1), ...opening, ...text(8), 9])).toBe(203)
    expect(engine.ask([...text(2), 9])).toBe(100)
  })

  it('lend what they have in common with a new one, and stay as they are', () => {
    const engine = new Engine(1, 4)
    const system = text(9, 300)
    engine.ask([...system, ...text(1)])
    engine.ask(text(2))
    expect(engine.ask([...system, ...text(3)])).toBe(300)
    expect(engine.ask([...system, ...text(1), 1])).toBe(400)
    expect(engine.ask([...system, ...text(3), 1])).toBe(400)
  })

  it('are taken by several slots at once, each as it was decided', () => {
    const engine = new Engine(2, 2)
    for (const salt of [1, 2, 3, 4]) engine.ask(text(salt))
    const one = engine.begin([...text(1), 1])
    const two = engine.begin([...text(2), 1])
    expect([one.cachedTokens, two.cachedTokens]).toEqual([100, 100])
    expect(new Set([one.slot.id, two.slot.id])).toEqual(new Set([0, 1]))
    expect(engine.memory.place(text(5))).toBeUndefined()
  })

  it('are kept apart where two leave their slots at once', () => {
    const engine = new Engine(2, 3)
    for (const pair of [
      [1, 2],
      [3, 4]
    ]) {
      const begun = pair.map((salt) => engine.begin(text(salt)))
      for (const one of begun) engine.end(one, [])
    }
    expect([1, 2].map((salt) => engine.ask([...text(salt), 1]))).toEqual([100, 100])
  })

  it('come next to the busy slots', () => {
    const engine = new Engine(4, 2)
    const first = engine.begin(text(1))
    engine.end(first, [])
    for (const salt of [2, 3, 4]) {
      const other = engine.begin(text(salt))
      engine.end(other, [])
    }
    engine.ask(text(5))
    engine.begin(text(6))
    const [copied] = [1, 2, 3, 4, 5]
      .map((salt) => engine.memory.place([...text(salt), 1])!)
      .filter(({ copies }) => copies.some(({ from }) => from.id >= 4))
    expect(copied!.slot.id).toBeLessThanOrEqual(1)
  })
})

describe('a copy', () => {
  it('is not made of what is soon evaluated', () => {
    const engine = new Engine(1, 4)
    engine.ask(text(1, LEAST - 1))
    expect(engine.begin(text(2)).copies).toEqual([])
    expect(leastWorthCopying(65_536)).toBeGreaterThan(leastWorthCopying(1024))
  })

  it('goes first from the slot, then into it', () => {
    const engine = new Engine(1, 4)
    for (const salt of [1, 2]) engine.ask(text(salt))
    const { slot, copies } = engine.begin([...text(1), 1])
    expect(copies).toHaveLength(2)
    expect(copies[0]!.from).toBe(slot)
    expect(copies[1]!.to).toBe(slot)
    expect(copies[0]!.to).not.toBe(copies[1]!.from)
  })

  it('is never made where nothing is to be remembered', () => {
    const engine = new Engine(2, 0)
    for (const salt of [1, 2, 3, 4, 1]) {
      const placement = engine.begin(text(salt))
      expect(placement.copies).toEqual([])
      engine.end(placement, [])
    }
  })
})

describe('the number of conversations that fit', () => {
  const each = (freeBytes: number, bytesEach: number): { freeBytes: number; bytesEach: number } => ({
    freeBytes,
    bytesEach
  })

  it.each([
    ['half of what is free', [each(1000, 50)], 10],
    ['what the scarcer memory holds', [each(1000, 50), each(300, 50)], 3],
    ['all where nothing is taken', [each(0, 0), each(1e12, 1)], MOST_REMEMBERED],
    ['none where nothing is left', [each(-1000, 50)], 0]
  ])('is %s', (_case, pools, number) => expect(conversationsThatFit(pools)).toBe(number))
})
