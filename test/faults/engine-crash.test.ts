/** The engine's process crashes, and the daemon continues. */
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'

import { startLlamaEngine } from '../../node/index.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { crumb } from '../../node/models/crumb.ts'
import { caller, dial, event, node, until } from '../e2e/node/harness.ts'
import { Call, request } from '../peers/caller-stream.ts'

test('an engine is killed during an answer: the caller gets an error, and the next request is served', async () => {
  const logger = pino({ level: 'silent' })
  const engine = await startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger })
  onTestFinished(async () => await engine.close())
  const serving = await node(engine)
  const connection = await dial(await caller(), serving)

  // The answer has 13 tokens, so with this credit it is not complete when the process dies.
  const asked = request(engine, { maxTokens: 900, credit: 4 })
  const call = await Call.open(connection, asked)
  await call.expect('accepted')
  await call.expect('delta')
  const died = event(serving, 'engine')
  process.kill(engine.pid ?? 0, 'SIGKILL')
  expect((await call.rest()).last).toMatchObject({ type: 'error', code: 'engine_failed', detail: '' })
  expect((await died).status).toEqual({ state: 'restarting' })

  await vi.waitUntil(() => engine.status.state === 'ready', { timeout: 30_000 })
  const next = await Call.open(connection, request(engine))
  await next.expect('accepted')
  expect((await next.rest()).last).toMatchObject({ type: 'done' })
  await until(serving, ({ slotsFree, engine: now }) => slotsFree === engine.slots && now?.restarts === 1)
})

test('a request gets busy while the engine restarts, and model_not_found after it failed for good', async () => {
  const engine = new ScriptedEngine({ reply: () => 'ok' })
  const serving = await node(engine)
  const connection = await dial(await caller(), serving)
  engine.crash()
  const busy = await (await Call.open(connection, request(engine))).expect('error')
  expect(busy).toMatchObject({ code: 'busy', detail: 'the engine restarts' })
  expect(busy.retryAfterMs).toBeGreaterThan(0)
  engine.recover()
  const call = await Call.open(connection, request(engine))
  await call.expect('accepted')
  expect((await call.rest()).last).toMatchObject({ type: 'done' })
  engine.giveUp('it crashes')
  expect(await (await Call.open(connection, request(engine))).expect('error')).toMatchObject({
    code: 'model_not_found'
  })
})
