/** A node with several models: each request gets the model that it names, whether it is in memory or not. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  AUDIT_PROTOCOL,
  decodeAuditReply,
  encodeAuditRequest,
  FrameStream,
  MAX_FRAME_BYTES,
  PROGRESS_INTERVAL_MS
} from '@potluck/protocol'
import { expect, onTestFinished, test, vi } from 'vitest'

import { readStatus } from '../../../node/index.ts'
import { OnDemandEngine } from '../../../node/engine/on-demand/engine.ts'
import { LoadedModels } from '../../../node/engine/on-demand/loaded-models.ts'
import { jobFor } from '../../conformance/collect.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { ScriptedOptions } from '../../scripted-engine/script.ts'
import { Gate } from '../../scripted-engine/gate.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import { newPeer, requestFor, serve } from '../../unit/audit/records.ts'
import { caller, dial, event, node } from './harness.ts'

/** An engine whose answers say its name. */
function named(name: string, options: ScriptedOptions = {}): ScriptedEngine {
  const digest = new Uint8Array(createHash('sha256').update(name).digest())
  return new ScriptedEngine({ reply: () => `I am ${name}`, model: { name, digest }, ...options })
}

/**
 * Models of which one fits into memory, and loads when `loadable` resolves. `loads` names them in the order of their
 * loads.
 */
function onDemand(
  names: readonly string[],
  options: (name: string) => ScriptedOptions = () => ({}),
  loadable?: Promise<void>
) {
  const loads: string[] = []
  const models = new LoadedModels({
    budget: { ramBytes: 1, vramBytes: 0 },
    free: () => ({ ramBytes: Infinity, vramBytes: Infinity }),
    now: () => performance.now()
  })
  const engines = names.map(
    (name) =>
      new OnDemandEngine({
        reader: named(name),
        needs: { ramBytes: 1, vramBytes: 0 },
        slots: 4,
        remembered: 0,
        models,
        start: async () => {
          await loadable
          loads.push(name)
          return named(name, options(name))
        }
      })
  )
  onTestFinished(async () => await models.close())
  return { engines, loads }
}

test('each request gets the model that it names, and the card lists all models', async () => {
  const engines = ['one', 'two', 'three'].map((name) => named(name))
  const serving = await node(engines)
  expect(serving.card().models.map(({ name }) => name)).toEqual(['one', 'two', 'three'])
  const connection = await dial(await caller(), serving)
  for (const engine of engines) {
    const call = await Call.open(connection, request(engine))
    await call.expect('accepted')
    expect((await call.rest()).text).toBe(`I am ${engine.model.name}`)
  }
  const unknown = await Call.open(connection, request(named('four')))
  expect(await unknown.next()).toMatchObject({ type: 'error', code: 'model_not_found' })
})

test('an audit uses the model of the answer', async () => {
  const engines = ['one', 'two'].map((name) => named(name))
  const serving = await node(engines)
  const [, engine] = engines
  const peer = await newPeer()
  const served = await serve(engine!, peer, requestFor(engine!))
  const stream = await (await dial(await caller(), serving)).newStream(AUDIT_PROTOCOL)
  const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
  const wait = { timeoutMs: 10_000, timeoutCode: 'token_timeout' } as const
  await frames.send(encodeAuditRequest({ peerId: peer.peerId, answer: served.record }), wait)
  const reply = decodeAuditReply((await frames.receive(wait))!)
  expect(reply).toMatchObject({ type: 'result', result: { comparable: true, violations: [] } })
})

test('a model that is not in memory is accepted with the wait for its load, and then answers', async () => {
  const { engines, loads } = onDemand(['one', 'two', 'three'])
  const serving = await node(engines)
  // The node loads each model at its start, to measure its speed.
  expect(loads).toEqual(['one', 'two', 'three'])
  const connection = await dial(await caller(), serving)
  const [first, , third] = engines
  const ready = await Call.open(connection, request(third!))
  expect((await ready.expect('accepted')).estimatedWaitMs).toBe(0)
  await ready.rest()
  const call = await Call.open(connection, request(first!))
  await call.expect('accepted')
  const { text, last } = await call.rest()
  expect(text).toBe('I am one')
  expect(loads.slice(3)).toEqual(['one'])
  // The caller learns which models it would have to wait for.
  const waits = last?.type === 'done' ? last.load.modelWaitMs : undefined
  expect(waits).toEqual([0, expect.toSatisfy((waitMs) => waitMs > 0), expect.toSatisfy((waitMs) => waitMs > 0)])
})

test('a load waits for the end of a running answer, which is not cut', async () => {
  const gate = new Gate()
  let armed = false
  const before = async (_: unknown, signal: AbortSignal): Promise<void> => {
    if (armed) await gate.pass(signal)
  }
  const { engines } = onDemand(['one', 'two'], (name) => (name === 'two' ? { before } : {}))
  const serving = await node(engines)
  armed = true
  const connection = await dial(await caller(), serving)
  const [one, two] = engines
  const running = await Call.open(connection, request(two!))
  await running.expect('accepted')
  gate.step(2)
  await running.expect('delta')
  const waiting = await Call.open(connection, request(one!))
  await waiting.expect('accepted')
  expect([one!.residence.isLoaded(), two!.residence.isLoaded()]).toEqual([false, true])
  gate.open()
  expect((await running.rest()).last?.type).toBe('done')
  expect((await waiting.rest()).text).toBe('I am one')
  expect([one!.residence.isLoaded(), two!.residence.isLoaded()]).toEqual([true, false])
})

test('a model whose file was replaced is withdrawn, and the others stay', async () => {
  const { engines } = onDemand(['one', 'two'])
  const dataDirectory = await mkdtemp(join(tmpdir(), 'potluck-'))
  onTestFinished(async () => await rm(dataDirectory, { recursive: true, force: true }))
  const serving = await node(engines, { dataDirectory })
  const [one] = engines
  Object.assign(one!.model.digest, named('another').model.digest)
  const withdrawn = event(serving, 'withdrawn')
  const call = await Call.open(await dial(await caller(), serving), request(one!))
  await call.expect('accepted')
  expect((await call.rest()).last).toMatchObject({ type: 'error', code: 'engine_failed' })
  expect((await withdrawn).reason).toMatch(/^one: the model file was replaced/)
  expect((await readStatus(dataDirectory)).models).toMatchObject([
    { name: 'one', engine: { state: 'failed' }, isLoaded: false },
    { name: 'two', engine: { state: 'ready' } }
  ])
})

test('a request whose model loads slowly gets signs of progress until its answer begins', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const isLoaded = Promise.withResolvers<void>()
  const { engines } = onDemand(['slow'], () => ({}), isLoaded.promise)
  const [slow] = engines
  const events = slow!.generate(jobFor([1], { maxTokens: 1 }))[Symbol.asyncIterator]()
  for (let sign = 0; sign < 2; sign++) {
    const next = events.next()
    await vi.advanceTimersByTimeAsync(PROGRESS_INTERVAL_MS)
    expect((await next).value).toEqual({ type: 'waiting', waitMs: slow!.residence.waitMs() })
  }
  const next = events.next()
  isLoaded.resolve()
  expect((await next).value).toMatchObject({ type: 'prefill' })
  await events.return!()
})
