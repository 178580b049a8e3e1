/**
 * Hostile peers must not harm the node or its other callers. test/unit/protocol tests the decoders alone with hostile
 * bytes. vitest fails this file on an unhandled error.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import type { Connection, Stream } from '@libp2p/interface'
import {
  decodeNodeFrame,
  CARD_PROTOCOL,
  encodeCredit,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  KAD_PROTOCOL,
  MAX_CREDIT,
  MAX_FRAME_BYTES
} from '@potluck/protocol'
import { encode as encodeVarint } from 'uint8-varint'
import { expect, test } from 'vitest'

import { DEFAULT_NODE_LIMITS, type NodeLimits, type PotluckNode } from '../../node/index.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { mutate, randomBytes, xorshift } from '../unit/protocol/mutate.ts'
import { caller, dial, gatedNode, node, recordLog, until, type LogLine } from '../e2e/node/harness.ts'
import { Call, request } from '../peers/caller-stream.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of the heap after a garbage collection. */
function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const SECRET = 'the text of a prompt'
const QUICK = { requestReadTimeoutMs: 300, creditTimeoutMs: 300 }

/** A node, a hostile peer that is connected to it, and an honest caller. */
interface Setup {
  serving: PotluckNode
  engine: ScriptedEngine
  connection: Connection
  /** Peer id of the hostile peer. */
  peer: string
  lines: LogLine[]
  /** Checks that the honest caller gets its answer. */
  expectHonestAnswer: () => Promise<void>
  /** Checks the same, and that afterwards no stream is open, no slot is in use and no request waits. */
  expectIdle: () => Promise<void>
}

async function setUp(limits: Partial<NodeLimits> = QUICK): Promise<Setup> {
  const engine = new ScriptedEngine({ reply: () => 'Hello!' })
  const { logger, lines } = recordLog()
  const serving = await node(engine, { logger, limits })
  const honest = await dial(await caller(), serving)
  const hostile = await caller()
  const expectHonestAnswer = async (): Promise<void> => {
    const call = await Call.open(honest, request(engine))
    await call.expect('accepted')
    expect(await call.rest()).toMatchObject({ text: 'Hello!', last: { type: 'done' } })
  }
  const expectIdle = async (): Promise<void> => {
    await expectHonestAnswer()
    await until(serving, ({ streamsOpen, slotsFree, requestsWaiting }) => {
      return streamsOpen === 0 && slotsFree === engine.slots && requestsWaiting === 0
    })
  }
  const connection = await dial(hostile, serving)
  return { serving, engine, connection, peer: hostile.peerId.toString(), lines, expectHonestAnswer, expectIdle }
}

/** Checks that a log line names the peer and the limit, and that no log line contains what the peer wrote. */
function expectLogged({ lines, peer }: Setup, limit: string): void {
  expect(lines).toContainEqual(expect.objectContaining({ limit, peer }))
  expect(JSON.stringify(lines)).not.toContain(SECRET)
}

async function open(connection: Connection, protocol: string = GENERATE_PROTOCOL): Promise<Stream> {
  return await connection.newStream(protocol, { maxOutboundStreams: 10_000 })
}

function framed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...encodeVarint(bytes.byteLength), ...bytes])
}

/** Resolves when the node has closed or reset the stream. */
async function ended(stream: Stream): Promise<void> {
  if (stream.status !== 'open' || stream.readableEnded) return
  await new Promise<void>((resolve) => {
    for (const type of ['close', 'end'] as const) stream.addEventListener(type, () => resolve(), { once: true })
  })
}

test('silent streams are reset, counted and logged', async () => {
  const setup = await setUp()
  const silent = await Promise.all(Array.from({ length: 30 }, async () => await open(setup.connection)))
  await setup.expectHonestAnswer()
  expect((await setup.serving.metrics()).streamsOpen).toBeLessThanOrEqual(DEFAULT_NODE_LIMITS.streamsPerPeer)
  await Promise.all(silent.map(ended))
  await setup.expectIdle()
  expectLogged(setup, 'request_timeout')
  expectLogged(setup, 'rate_limited')
})

test('silent streams of many peers do not block other callers', async () => {
  const setup = await setUp({ unreadStreams: 8, requestReadTimeoutMs: 60_000 })
  const others = [setup.connection, await dial(await caller(), setup.serving)]
  for (let stream = 0; stream < 12; stream++) await Promise.all(others.map(async (other) => await open(other)))
  await setup.expectHonestAnswer()
  expect((await setup.serving.metrics()).streamsOpen).toBeLessThanOrEqual(8)
  expectLogged(setup, 'unreadStreams')
  for (const other of others) other.abort(new Error('the test is done'))
  await setup.expectIdle()
})

test.each(['silence', 'end'] as const)('a stream with half a frame, and then %s, is ended', async (then) => {
  const setup = await setUp()
  const { bytes } = encodeRequest(request(setup.engine, { input: { prompt: SECRET } }))
  const stream = await open(setup.connection)
  stream.send(framed(bytes).subarray(0, bytes.byteLength / 2))
  if (then === 'end') await stream.close()
  await setup.expectHonestAnswer()
  await ended(stream)
  await setup.expectIdle()
  expectLogged(setup, then === 'end' ? 'stream_cut' : 'request_timeout')
})

test('a prompt of 100 MB is refused before it is read', async () => {
  const setup = await setUp()
  const stream = await open(setup.connection)
  const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
  const chunk = new TextEncoder().encode(SECRET.repeat(3000))
  let sent = 0
  stream.send(encodeVarint(100 * 1024 * 1024))
  while (stream.status === 'open' && sent < 100 * 1024 * 1024) {
    sent += chunk.byteLength
    if (!stream.send(chunk)) break
  }
  // The window is full, so this side cannot close, but it can still read the refusal.
  const refusal = await frames.receive({ timeoutMs: 20_000, timeoutCode: 'token_timeout' })
  expect(decodeNodeFrame(refusal!)).toMatchObject({
    type: 'error',
    code: 'invalid_request',
    detail: expect.stringContaining('2097152')
  })
  frames.abort(new Error('refused'))
  // The sent bytes are in the windows of one stream, and in buffers.
  expect(sent).toBeLessThan(4 * 1024 * 1024)
  await setup.expectIdle()
  expectLogged(setup, 'protocol_violation')
})

test('a flood of requests is bounded and logged, and other callers get their turn', async () => {
  const { logger, lines } = recordLog()
  const { engine, gate, serving } = await gatedNode({}, { logger })
  const hostile = await caller()
  const connection = await dial(hostile, serving)
  const flood = await Promise.allSettled(
    Array.from({ length: 600 }, async () => {
      const call = await Call.open(connection, request(engine, { input: { prompt: SECRET } }))
      return (await call.next())?.type
    })
  )
  const taken = flood.filter((outcome) => outcome.status === 'fulfilled' && outcome.value === 'accepted')
  expect(taken).toHaveLength(DEFAULT_NODE_LIMITS.streamsPerPeer)
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 40, limit: 'rate_limited', peer: hostile.peerId.toString() })
  )
  // One line for each limit, not for each request.
  expect(lines.filter(({ level }) => level >= 40).length).toBeLessThan(10)
  expect(JSON.stringify(lines)).not.toContain(SECRET)

  const honest = await Call.open(await dial(await caller(), serving), request(engine))
  expect(await honest.expect('accepted')).toMatchObject({ queuePosition: 1, load: { queued: 13 } })
  gate.open()
  expect((await honest.rest()).last).toMatchObject({ type: 'done' })
  connection.abort(new Error('the test is done'))
  await until(serving, ({ streamsOpen, slotsFree }) => streamsOpen === 0 && slotsFree === engine.slots)
})

test.each<[string, Uint8Array[]]>([
  ['more credit than the maximum', [encodeCredit(MAX_CREDIT), encodeCredit(MAX_CREDIT)]],
  ['a credit frame with 0 tokens', [new Uint8Array([0x12, 0x00])]],
  ['bytes that are not a frame', [Uint8Array.from({ length: 100 }, () => 0xff)]]
])('after a request, %s ends the answer', async (_, hostile) => {
  const setup = await setUp({ ...QUICK, creditTimeoutMs: 10_000 })
  const call = await Call.open(setup.connection, request(setup.engine, { credit: 1 }))
  await call.expect('accepted')
  await call.expect('delta')
  for (const bytes of hostile) {
    await call.frames.send(bytes, { timeoutMs: 1000, timeoutCode: 'token_timeout' })
  }
  expect((await call.rest()).last).toMatchObject({ type: 'error', code: 'invalid_request' })
  await setup.expectIdle()
  expectLogged(setup, 'invalid_request')
})

test('thousands of random and mutated frames do not harm the node', { timeout: 120_000 }, async () => {
  // Without a rate limit, so that the node decodes every frame.
  const setup = await setUp({ ...QUICK, creditTimeoutMs: 5, failedRequestBurst: 1e9, streamsPerPeer: 64 })
  const random = xorshift(20_261_120)
  const { bytes: good } = encodeRequest(request(setup.engine, { credit: 2, maxTokens: 8 }))
  const credit = encodeCredit(4)
  const hostileBytes = (): Uint8Array => {
    switch (random() % 4) {
      case 0:
        return randomBytes(random)
      case 1:
        return framed(randomBytes(random))
      case 2:
        // Mutates the length prefix too, which gives half frames and oversized frames.
        return mutate(framed(good), random)
      default: {
        const frames = [good, ...Array.from({ length: 4 }, () => mutate(credit, random))]
        return Uint8Array.from(frames.flatMap((frame) => [...framed(frame)]))
      }
    }
  }
  const attack = async (): Promise<void> => {
    const stream = await open(setup.connection)
    stream.addEventListener('message', () => {})
    stream.send(hostileBytes())
    if (random() % 8 === 0) stream.abort(new Error('gone'))
    else await stream.close()
    await ended(stream)
  }
  await setup.expectHonestAnswer()
  const heapBefore = heapBytes()
  for (let round = 0; round < 170; round++) {
    await Promise.all(Array.from({ length: 24 }, attack))
    if (round % 50 === 0) await setup.expectHonestAnswer()
  }
  await setup.expectIdle()
  expect(heapBytes() - heapBefore).toBeLessThan(20 * 1024 * 1024)
  expect(setup.lines.filter(({ level }) => level >= 50)).toEqual([])
})

test.each([CARD_PROTOCOL, KAD_PROTOCOL])('random bytes on %s do not harm the node', async (protocol) => {
  const setup = await setUp()
  const random = xorshift(7)
  for (let round = 0; round < 25; round++) {
    const streams = await Promise.all(
      Array.from({ length: 8 }, async () => await open(setup.connection, protocol).catch(() => undefined))
    )
    for (const stream of streams) if (stream?.status === 'open') stream.send(framed(randomBytes(random)))
    await setup.expectHonestAnswer()
    for (const stream of streams) stream?.abort(new Error('gone'))
  }
  await setup.expectIdle()
})
