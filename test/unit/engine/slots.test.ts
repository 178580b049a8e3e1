import { describe, expect, it } from 'vitest'
import { chooseSlot, commonPrefix, type SlotView } from '../../../node/engine/slots.ts'

const tokens = (length: number, salt: number): number[] => [
  1,
  2,
  3,
  ...Array.from({ length }, (_, index) => index + salt)
]

function slots(...held: (readonly number[] | 'busy')[]): SlotView[] {
  return held.map((cached, id) => ({
    id,
    cached: cached === 'busy' ? [] : cached,
    owner: undefined,
    busy: cached === 'busy'
  }))
}

function choose(all: readonly SlotView[], prompt: readonly number[]): SlotView | undefined {
  return chooseSlot(all, ({ cached }) => commonPrefix(cached, prompt))
}

describe('the chosen slot', () => {
  it('has the longest prefix of the prompt', () => {
    const prompt = tokens(100, 1000)
    const choice = choose(slots([], tokens(100, 2000), prompt.slice(0, 60), prompt.slice(0, 40)), prompt)
    expect(choice?.id).toBe(2)
  })

  it('is not a slot with a long conversation, if the prompt shares only the beginning with it', () => {
    expect(choose(slots(tokens(400, 2000), []), tokens(50, 1000))?.id).toBe(1)
  })

  it('has the shortest content if nothing can be reused', () => {
    expect(choose(slots(tokens(400, 2000), tokens(100, 3000)), tokens(50, 1000))?.id).toBe(1)
  })

  it('is next to a busy slot, so that both are evaluated together', () => {
    expect(choose(slots([], [], 'busy', []), tokens(50, 1000))?.id).toBe(1)
    expect(choose(slots('busy', [], [], []), tokens(50, 1000))?.id).toBe(1)
  })

  it('has a cached prefix rather than a busy neighbour', () => {
    const prompt = tokens(100, 1000)
    expect(choose(slots('busy', [], [], prompt), prompt)?.id).toBe(3)
  })

  it('has the lowest id of equal slots, and is undefined if all are busy', () => {
    expect(choose(slots([], [], []), [1])?.id).toBe(0)
    expect(choose(slots('busy', 'busy'), [1])).toBeUndefined()
  })
})

describe('a common prefix', () => {
  it.each([
    [[], [], 0],
    [[1, 2], [1, 2, 3], 2],
    [[1, 2, 3], [1, 9, 3], 1]
  ])('of %j and %j is %d long', (a, b, length) => expect(commonPrefix(a, b)).toBe(length))
})
