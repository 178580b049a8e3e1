import { MAX_CREDIT } from '@potluck/protocol'
import { pino } from 'pino'
import { expect, test } from 'vitest'

import { startLlamaEngine, type EngineCounters, type PotluckNode } from '../../node/index.ts'
import { ENGINE_LEAD_TOKENS } from '../../node/limits/limits.ts'
import { crumb } from '../../node/models/crumb.ts'
import { caller, dial, gatedNode, node, until } from '../e2e/node/harness.ts'
import { Call, request } from '../peers/caller-stream.ts'

async function counters(of: PotluckNode): Promise<EngineCounters> {
  const { engine } = await of.metrics()
  if (engine === undefined) throw new Error('the engine is down')
  return engine
}

test.each([0, 3])('an abort after %i evaluations ends the generation and frees the slot', async (steps) => {
  const { engine, gate, serving } = await gatedNode({ reply: () => 'a long answer' })
  const before = await counters(serving)
  const call = await Call.open(await dial(await caller(), serving), request(engine))
  await call.expect('accepted')
  gate.step(steps)
  await gate.holds()
  call.abort()
  await until(serving, ({ requestsRunning, streamsOpen, engine: now }) => {
    return requestsRunning === 0 && streamsOpen === 0 && now?.activeSlots === 0
  })
  const after = await counters(serving)
  expect(after.decodeTokens - before.decodeTokens).toBe(Math.max(0, steps - 1))
  expect((await serving.metrics()).requestsFinished).toEqual({ aborted: 1 })
})

test('a request that is cancelled while it waits leaves the queue', async () => {
  const { engine, gate, serving } = await gatedNode({ slots: 1 })
  const connection = await dial(await caller(), serving)
  const first = await Call.open(connection, request(engine))
  await first.expect('accepted')
  const second = await Call.open(connection, request(engine))
  await second.expect('accepted')
  second.abort()
  await until(serving, ({ requestsWaiting, streamsOpen }) => requestsWaiting === 0 && streamsOpen === 1)
  gate.open()
  expect((await first.rest()).last).toMatchObject({ type: 'done' })
})

test('the node stops computing for a caller that grants credit but does not read', async () => {
  const long = 'x'.repeat(60_000)
  const { engine, gate, serving } = await gatedNode(
    { contextLength: 100_000, reply: () => long },
    { limits: { creditTimeoutMs: 1_000 } }
  )
  const connection = await dial(await caller(), serving)
  const asked = request(engine, { maxTokens: 65_000, credit: MAX_CREDIT, topLogprobs: 20 })
  const call = await Call.open(connection, asked)
  const { decodeTokens } = await counters(serving)
  gate.open()
  // The caller does not read, so the node sends only as much as fits into the stream's windows and buffers. A token
  // takes 600 bytes.
  await until(serving, ({ requestsFinished }) => requestsFinished.caller_stalled === 1)
  const { generationTokens, engine: now } = await serving.metrics()
  expect(generationTokens).toBeLessThan(2_000)
  expect((now?.decodeTokens ?? Infinity) - decodeTokens).toBeLessThanOrEqual(generationTokens + ENGINE_LEAD_TOKENS)
  expect(now?.activeSlots).toBe(0)
  call.abort()
})

test('a real engine stops in the middle of an answer and of a prefill, and then serves the next request', async () => {
  const engine = await startLlamaEngine({
    modelPath: crumb.Q8_0.path,
    threads: 1,
    gpu: false,
    logger: pino({ level: 'silent' })
  })
  try {
    const serving = await node(engine)
    const connection = await dial(await caller(), serving)
    const idle = async (): Promise<void> => {
      await until(serving, ({ requestsRunning, engine: now }) => requestsRunning === 0 && now?.activeSlots === 0)
    }

    // At temperature 2 the model rarely samples the end token, so the answer continues until the abort.
    const endless = { maxTokens: 900, credit: 1000, sampling: { ...request(engine).sampling, temperature: 2 } }
    const answer = await Call.open(connection, request(engine, endless))
    await answer.expect('accepted')
    await answer.expect('delta')
    answer.abort()
    await idle()
    const stopped = await counters(serving)
    expect(stopped.decodeTokens).toBe((await counters(serving)).decodeTokens)

    // The prompt takes at least two slices. If the caller aborts as soon as the request has its slot, the abort arrives
    // after the first slice.
    const sentence = 'The quick brown fox jumps over the lazy dog. '
    const sentences = Math.floor(9000 / (await engine.tokenize({ prompt: sentence.repeat(10) })).length)
    let caught = false
    for (let attempt = 0; attempt < 30 && !caught; attempt++) {
      const before = (await counters(serving)).prefillTokens
      const input = { prompt: `${attempt} ${sentence.repeat(sentences)}` }
      const call = await Call.open(connection, request(engine, { input, maxTokens: 10 }))
      const { length } = (await call.expect('accepted')).promptTokens
      await until(serving, ({ engine: now }) => now?.activeSlots === 1)
      call.abort()
      await idle()
      const evaluated = (await counters(serving)).prefillTokens - before
      caught = evaluated > 0 && evaluated < length - 1
    }
    expect(caught).toBe(true)

    const call = await Call.open(connection, request(engine))
    await call.expect('accepted')
    expect((await call.rest()).last).toMatchObject({ type: 'done' })
  } finally {
    await engine.close()
  }
})
