import {
  answerWindows,
  encodeRequest,
  FINGERPRINT_BYTES,
  formatDigest,
  joinPartialReceipt,
  openPartialReceipt,
  openReceipt,
  tokensDigest,
  WindowChain,
  type GenerateRequest
} from '@potluck/protocol'
import { expect, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { caller, dial, gatedNode, node, recordLog, until } from './harness.ts'
import { Call, request } from '../../peers/caller-stream.ts'

test('a prompt is answered, with a receipt that matches the request and the answer', async () => {
  const engine = new ScriptedEngine({ reply: () => 'Hello, you!' })
  const serving = await node(engine)
  const asked = request(engine)
  const call = await Call.open(await dial(await caller(), serving), asked)

  const accepted = await call.expect('accepted')
  expect(accepted).toMatchObject({ queuePosition: 0, estimatedWaitMs: 0, load: { active: 1, queued: 0, slots: 4 } })
  const { text, tokens, last } = await call.rest()
  expect(text).toBe('Hello, you!')
  if (last?.type !== 'done') throw new Error(`ended with ${last?.type}`)
  expect(last).toMatchObject({ finishReason: 'stop', usage: { completionTokens: tokens.length } })
  expect(await call.next()).toBeUndefined()

  const receipt = await openReceipt(last.receipt, { peerId: serving.peerId })
  expect(receipt).toMatchObject({
    requestId: asked.requestId,
    requestDigest: encodeRequest(asked).digest,
    promptDigest: tokensDigest(accepted.promptTokens),
    answerWindows: answerWindows(tokens),
    answerTokens: tokens.length,
    firstPosition: 0,
    finishReason: 'stop',
    backend: engine.backend
  })
  expect(formatDigest(receipt.modelDigest)).toBe(formatDigest(engine.model.digest))

  await until(serving, ({ streamsOpen }) => streamsOpen === 0)
  expect(await serving.metrics()).toMatchObject({
    requestsRunning: 0,
    slotsFree: 4,
    requestsFinished: { done: 1 },
    promptTokens: accepted.promptTokens.length,
    generationTokens: tokens.length,
    timeToFirstTokenSeconds: { count: 1 }
  })
})

test('an answer is continued from the tokens of another node', async () => {
  const engine = new ScriptedEngine()
  const serving = await node(engine)
  const connection = await dial(await caller(), serving)
  const asked = request(engine, { sampling: { ...request(engine).sampling, temperature: 1, seed: 77n } })

  const whole = await Call.open(connection, asked)
  const { promptTokens } = await whole.expect('accepted')
  const { tokens } = await whole.rest()

  const continuation = { promptTokens, answerTokens: tokens.slice(0, 20) }
  const continued = await Call.open(connection, { ...asked, continuation })
  await continued.expect('accepted')
  const rest = await continued.rest()
  expect([...continuation.answerTokens, ...rest.tokens]).toEqual(tokens)
  if (rest.last?.type !== 'done') throw new Error(`ended with ${rest.last?.type}`)
  const receipt = await openReceipt(rest.last.receipt, { peerId: serving.peerId })
  expect(receipt).toMatchObject({
    firstPosition: 20,
    answerTokens: tokens.length,
    answerWindows: answerWindows(tokens)
  })
})

/** Continues an answer to the prompt of `request`, as the scripted engine tokenises it. */
function continuing(good: GenerateRequest, answerTokens: readonly number[], checkFrom?: number): GenerateRequest {
  const promptTokens = [256, ...Buffer.from('hello')]
  return {
    ...good,
    continuation: { promptTokens, answerTokens, ...(checkFrom === undefined ? {} : { checkFrom }) }
  }
}

test('an answer that ends with its last token gets `done`', async () => {
  const engine = new ScriptedEngine({ reply: () => 'ok' })
  const serving = await node(engine)
  const asked = continuing(request(engine), [...Buffer.from('ok'), 257])
  const call = await Call.open(await dial(await caller(), serving), asked)
  await call.expect('accepted')
  expect(await call.rest()).toMatchObject({ tokens: [], last: { type: 'done', finishReason: 'stop' } })
})

test('the tokens of another node are measured before the answer continues', async () => {
  const engine = new ScriptedEngine({ reply: () => 'honest' })
  const serving = await node(engine)
  const asked = continuing(request(engine), [...Buffer.from('homes')], 1)
  const call = await Call.open(await dial(await caller(), serving), asked)
  await call.expect('accepted')
  const { measured } = await call.expect('checked')
  expect(measured.map(({ margin }) => margin > 0)).toEqual([false, true, false, false])
  expect((await call.rest()).text).toBe('t')
})

test('each window of 64 tokens is signed in the delta that completes it', async () => {
  const engine = new ScriptedEngine({ reply: () => 'x'.repeat(300) })
  const serving = await node(engine)
  const asked = continuing(request(engine, { maxTokens: 150 }), [...Buffer.from('xxxxx')])
  const call = await Call.open(await dial(await caller(), serving), asked)
  const { promptTokens, rendering } = await call.expect('accepted')
  const windows = new WindowChain(promptTokens)
  const requestDigest = encodeRequest(asked).digest
  const signed: number[] = []
  for (let at = 6; at <= 150; at++) {
    const { delta, window } = await call.expect('delta')
    // The chain takes fingerprints with the tokens or later, up to the end of the window.
    windows.add(delta.tokens, window?.fingerprints ?? new Uint8Array())
    if (window === undefined) continue
    expect(window.fingerprints).toHaveLength(64 * FINGERPRINT_BYTES)
    const { tokens, digest } = windows
    const partial = { requestDigest, firstPosition: 5, tokens, digest, rendering }
    await openPartialReceipt(joinPartialReceipt(partial, serving.peerId, window.signature), { peerId: serving.peerId })
    signed.push(at)
  }
  expect(signed).toEqual([69, 133])
})

test('the engine waits for credit, and continues when the caller grants it', async () => {
  const engine = new ScriptedEngine({ reply: () => 'x'.repeat(50) })
  const serving = await node(engine)
  const call = await Call.open(await dial(await caller(), serving), request(engine, { credit: 10 }))
  await call.expect('accepted')
  for (let token = 0; token < 10; token++) await call.expect('delta')
  expect((await serving.metrics()).engine).toMatchObject({ activeSlots: 1 })
  expect((await serving.metrics()).generationTokens).toBe(10)
  await call.credit(100)
  expect(await call.rest()).toMatchObject({ text: 'x'.repeat(40), last: { type: 'done' } })
})

test('a caller that grants no more credit gets the error caller_stalled', async () => {
  const engine = new ScriptedEngine({ reply: () => 'x'.repeat(50) })
  const { logger, lines } = recordLog()
  const serving = await node(engine, { limits: { creditTimeoutMs: 100 }, logger })
  const connection = await dial(await caller(), serving)
  const call = await Call.open(connection, request(engine, { credit: 10 }))
  await call.expect('accepted')
  expect((await call.rest()).last).toMatchObject({ type: 'error', code: 'caller_stalled' })
  await until(serving, ({ slotsFree, streamsOpen }) => slotsFree === 4 && streamsOpen === 0)
  expect(lines).toContainEqual(expect.objectContaining({ limit: 'caller_stalled', level: 40 }))
})

test('waiting requests get their position in the queue, and start in that order', async () => {
  const { engine, gate, serving } = await gatedNode({ slots: 1 }, { limits: { queuedPerSlot: 2 } })
  const [one, two] = [await dial(await caller(), serving), await dial(await caller(), serving)]
  const calls = []
  for (const [connection, queuePosition] of [
    [one, 0],
    [one, 0],
    [two, 1]
  ] as const) {
    const call = await Call.open(connection, request(engine))
    expect(await call.expect('accepted')).toMatchObject({ queuePosition })
    calls.push(call)
  }
  const refused = await Call.open(two, request(engine))
  const refusal = await refused.expect('error')
  expect(refusal).toMatchObject({ code: 'busy', load: { active: 1, queued: 2 } })
  expect(refusal.retryAfterMs).toBeGreaterThan(0)

  // A request that leaves the queue makes room for another.
  calls[1]?.abort()
  await until(serving, ({ requestsWaiting }) => requestsWaiting === 1)
  const late = await Call.open(one, request(engine))
  expect(await late.expect('accepted')).toMatchObject({ queuePosition: 1 })

  gate.open()
  for (const call of [calls[0], calls[2], late]) expect((await call?.rest())?.last).toMatchObject({ type: 'done' })
})

test.each<[string, (good: GenerateRequest) => GenerateRequest]>([
  ['model_not_found', (good) => ({ ...good, modelDigest: new Uint8Array(32) })],
  ['context_length_exceeded', (good) => ({ ...good, maxTokens: 600 })],
  ['context_length_exceeded', (good) => ({ ...good, input: { prompt: 'x'.repeat(200_000) } })],
  ['invalid_request', (good) => ({ ...good, continuation: { promptTokens: [100_000], answerTokens: [] } })],
  ['invalid_request', (good) => ({ ...good, maxTokens: 0 })],
  ['continuation_rejected', (good) => ({ ...good, continuation: { promptTokens: [1], answerTokens: [] } })],
  ['continuation_rejected', (good) => continuing(good, [...Buffer.from('ok'), 257, 111])],
  ['continuation_rejected', (good) => ({ ...continuing(good, [111]), responseFormat: { type: 'json_object' } })]
])('the error %s is sent instead of accepted, and the stream ends', async (code, spoil) => {
  const engine = new ScriptedEngine({ reply: () => 'ok' })
  const serving = await node(engine)
  const call = await Call.open(await dial(await caller(), serving), spoil(request(engine)))
  expect(await call.expect('error')).toMatchObject({ code, load: { slots: 4 } })
  expect(await call.next()).toBeUndefined()
  await until(serving, ({ streamsOpen }) => streamsOpen === 0)
  expect((await serving.metrics()).requestsFinished).toEqual({ [code]: 1 })
})

test("for an engine's exception the peer gets a code only, and the log gets the text", async () => {
  let failing = false
  const engine = new ScriptedEngine({
    reply: () => 'ok',
    before: () => {
      if (failing) throw new Error('secret internals')
    }
  })
  const { logger, lines } = recordLog()
  const serving = await node(engine, { logger })
  failing = true
  const call = await Call.open(await dial(await caller(), serving), request(engine))
  await call.expect('accepted')
  expect(await call.expect('error')).toMatchObject({ code: 'engine_failed', detail: '' })
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'serving a request failed' }))
})

test('a generation that ends without a result is a failure, not an answer', async () => {
  let cut = false
  const engine = new ScriptedEngine({
    reply: () => 'a long answer',
    before: ({ position }) => (cut && position === 5 ? 'cut' : undefined)
  })
  const serving = await node(engine)
  cut = true
  const call = await Call.open(await dial(await caller(), serving), request(engine))
  await call.expect('accepted')
  expect(await call.rest()).toMatchObject({ text: 'a lon', last: { type: 'error', code: 'engine_failed' } })
})
