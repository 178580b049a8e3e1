import { describe, expect, it } from 'vitest'
import type { BatchItem } from 'node-llama-cpp'
import { FIRST_SLICE_TOKENS } from '../../../node/engine/constants.ts'
import { Batching } from '../../../node/engine/llama/internals/batching.ts'

/** Whether a promise is settled after the current turn of the event loop. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

const item = (id: number, length: number): BatchItem =>
  ({ tokens: Array.from({ length }, () => 0), logits: [], evaluationPriority: id }) as unknown as BatchItem

describe('a round of evaluations', () => {
  it('waits for every active sequence', async () => {
    const batching = new Batching()
    await batching.turn(0, 1)
    const [first, second] = [batching.turn(1, 1), batching.turn(2, 1)]
    expect(await settled(first)).toBe(false)
    const third = batching.turn(0, 1)
    expect(await Promise.all([first, second, third].map(settled))).toEqual([true, true, true])
  })

  it('does not wait for a sequence that pauses', async () => {
    const batching = new Batching()
    await batching.turn(0, 1)
    const other = batching.turn(1, 1)
    expect(await settled(other)).toBe(false)
    batching.pause(0)
    expect(await settled(other)).toBe(true)
  })

  it('is shared by all sequences that asked in the same turn of the event loop', async () => {
    const batching = new Batching()
    const turns = await Promise.all([batching.turn(0, 400), batching.turn(1, 400)])
    expect(turns.map(({ tokens }) => tokens)).toEqual([FIRST_SLICE_TOKENS / 2, FIRST_SLICE_TOKENS / 2])
  })

  it('gives no tokens to a prompt while a slightly later one catches up', async () => {
    const batching = new Batching()
    const first = await batching.turn(0, 400)
    expect(first.tokens).toBe(FIRST_SLICE_TOKENS)
    const turns = await Promise.all([
      batching.turn(0, 400 - FIRST_SLICE_TOKENS, FIRST_SLICE_TOKENS),
      batching.turn(1, 400)
    ])
    expect(turns.map(({ tokens }) => tokens)).toEqual([0, FIRST_SLICE_TOKENS])
  })

  it('gives a long prompt its share, although new prompts arrive in every round', async () => {
    const batching = new Batching()
    let done = 0
    for (let round = 0; round < 20; round++) {
      // In each round another short prompt arrives, which needs only one slice.
      const [{ tokens }] = await Promise.all([
        batching.turn(0, 1000 - done, done),
        batching.turn(1, FIRST_SLICE_TOKENS)
      ])
      done += tokens
    }
    expect(done).toBeGreaterThanOrEqual((17 * FIRST_SLICE_TOKENS) / 2)
  })

  it('reports when its evaluation has begun', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const batching = new Batching(() => resolve('begun'))
    const turn = batching.turn(0, 1)
    expect(await Promise.race([promise, turn.then(() => 'turn')])).toBe('turn')
    expect(await promise).toBe('begun')
  })

  it('counts only the last report of its duration', async () => {
    const batching = new Batching()
    const turns = await Promise.all([batching.turn(0, 400), batching.turn(1, 400)])
    turns[0].took(100_000)
    turns[1].took(1)
    expect((await Promise.all([batching.turn(0, 1000), batching.turn(1, 1)]))[0].tokens).toBe(2 * FIRST_SLICE_TOKENS)
  })

  it('evaluates blocks apart from other tokens, because these would cut the blocks', async () => {
    const batching = new Batching()
    const blocks = { tokens: 128, step: 64 }
    const turns = [batching.turn(0, 128, 0, blocks), batching.turn(1, 20), batching.turn(2, 1)]
    const items = (await Promise.all(turns)).map(({ tokens }, id) => item(id, tokens))
    const { itemPrioritizationStrategy } = batching.options
    const order = (rest: BatchItem[]): number[] =>
      (itemPrioritizationStrategy as Extract<typeof itemPrioritizationStrategy, CallableFunction>)({
        items: rest,
        size: 512
      }).map(({ item: { evaluationPriority: id } }) => id)
    expect(order(items)).toEqual([2])
    expect(order(items.slice(0, 2))).toEqual([1])
    expect(order(items.slice(0, 1))).toEqual([0])
  })

  it('orders the sequences by id, answers before prompts', () => {
    const { itemPrioritizationStrategy } = new Batching().options
    const order = (items: BatchItem[]): number[][] =>
      (itemPrioritizationStrategy as Extract<typeof itemPrioritizationStrategy, CallableFunction>)({
        items,
        size: 512
      }).map(({ item: { evaluationPriority: id }, processAmount }) => [id, processAmount])
    const [answers, prompts] = [
      [item(3, 1), item(0, 1)],
      [item(2, 100), item(1, 90)]
    ]
    expect(order([...prompts, ...answers])).toEqual([
      [0, 1],
      [3, 1]
    ])
    expect(order(prompts)).toEqual([
      [1, 90],
      [2, 100]
    ])
  })
})
