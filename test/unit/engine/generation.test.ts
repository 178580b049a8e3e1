import { describe, expect, it } from 'vitest'
import { PotluckError } from '@potluck/protocol'
import { PushedGeneration, type GenerationControl } from '../../../node/engine/child/remote-engine.ts'
import type { EngineEvent, GenerateJob } from '../../../node/engine/interface.ts'
import { jobFor } from '../../conformance/collect.ts'

const delta = (token: number): EngineEvent => ({
  type: 'delta',
  delta: { tokens: [token], text: '' },
  fingerprints: new Uint8Array(6)
})

/** A generation, and the calls that its control gets. */
function begin(signal?: AbortSignal): { generation: PushedGeneration; calls: unknown[] } {
  const calls: unknown[] = []
  const control: GenerationControl = {
    start: ({ credit }: GenerateJob) => calls.push(['start', credit]),
    grant: (tokens) => calls.push(['grant', tokens]),
    abort: () => calls.push('abort')
  }
  return { generation: new PushedGeneration(jobFor([1], { credit: 2 }), control, signal), calls }
}

describe('a generation that runs elsewhere', () => {
  it('starts when the iteration starts, with all credit that was granted before', async () => {
    const { generation, calls } = begin()
    generation.grant(3)
    expect(calls).toEqual([])
    const next = generation[Symbol.asyncIterator]().next()
    generation.grant(1)
    expect(calls).toEqual([
      ['start', 5],
      ['grant', 1]
    ])
    generation.push(delta(7))
    expect(await next).toEqual({ done: false, value: delta(7) })
  })

  it('delivers the events in the queue before an error', async () => {
    const { generation } = begin()
    const iterator = generation[Symbol.asyncIterator]()
    const first = iterator.next()
    for (const token of [1, 2, 3]) generation.push(delta(token))
    generation.end(new PotluckError('engine_failed', 'it crashed'))
    await first
    expect([await iterator.next(), await iterator.next()].map(({ value }) => value)).toEqual([delta(2), delta(3)])
    await expect(iterator.next()).rejects.toMatchObject({ code: 'engine_failed' })
  })

  it('delivers nothing after an abort, and ends only when the engine has stopped', async () => {
    const controller = new AbortController()
    const { generation, calls } = begin(controller.signal)
    const iterator = generation[Symbol.asyncIterator]()
    const first = iterator.next()
    for (const token of [1, 2]) generation.push(delta(token))
    await first
    controller.abort()
    const order: unknown[] = []
    const rest = iterator.next().catch((error: unknown) => order.push(error))
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).toContain('abort')
    order.push('the engine stopped')
    generation.end(new PotluckError('aborted', 'the engine stopped'))
    await rest
    expect(order).toEqual(['the engine stopped', expect.objectContaining({ code: 'aborted' })])
  })

  it('stops the engine after a break', async () => {
    const { generation, calls } = begin()
    const iterator = generation[Symbol.asyncIterator]()
    const first = iterator.next()
    generation.push(delta(1))
    await first
    const end = iterator.return(undefined)
    await expect.poll(() => calls).toContain('abort')
    generation.end()
    expect((await end).done).toBe(true)
  })
})
