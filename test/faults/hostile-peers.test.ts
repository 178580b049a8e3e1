/**
 * What a peer may do to a node without hurting it or others. The decoders alone meet hostile bytes in
 * test/unit/protocol; vitest fails a file in which anything goes unhandled.
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

import { DEFAULT_LIMITS, ScriptedEngine, type NodeLimits, type PotluckNode } from '../../node/index.ts'
import { mutate, randomBytes, xorshift } from '../unit/protocol/mutate.ts'
import { Call, caller, dial, gatedNode, node, recordLog, request, until, type LogLine } from '../e2e/node/harness.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is still referenced. */
function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const SECRET = 'the text of a prompt'
const QUICK = { requestReadTimeoutMs: 300, creditTimeoutMs: 300 }

interface Scene {
  serving: PotluckNode
  engine: ScriptedEngine
  connection: Connection
  /** The hostile peer. */
  peer: string
  lines: LogLine[]
  /** Another caller is answered as if nothing were. */
  undisturbed: () => Promise<void>
  /** Nothing of the hostile peer is left, and everything is as at the start. */
  settled: () => Promise<void>
}

async function scene(limits: Partial<NodeLimits> = QUICK): Promise<Scene> {
  const engine = new ScriptedEngine({ reply: () => 'Hello!' })
  const { logger, lines } = recordLog()
  const serving = await node(engine, { logger, limits })
  const friend = await dial(await caller(), serving)
  const hostile = await caller()
  const undisturbed = async (): Promise<void> => {
    const call = await Call.open(friend, request(engine))
    await call.expect('accepted')
    expect(await call.rest()).toMatchObject({ text: 'Hello!', last: { type: 'done' } })
  }
  const settled = async (): Promise<void> => {
    await undisturbed()
    await until(serving, ({ streamsOpen, slotsFree, requestsWaiting }) => {
      return streamsOpen === 0 && slotsFree === engine.slots && requestsWaiting === 0
    })
  }
  const connection = await dial(hostile, serving)
  return { serving, engine, connection, peer: hostile.peerId.toString(), lines, undisturbed, settled }
}

/** A warning names the peer and the limit, and no line holds anything the peer wrote. */
function expectNamed({ lines, peer }: Scene, limit: string): void {
  expect(lines).toContainEqual(expect.objectContaining({ level: 40, limit, peer }))
  expect(JSON.stringify(lines)).not.toContain(SECRET)
}

async function open(connection: Connection, protocol: string = GENERATE_PROTOCOL): Promise<Stream> {
  return await connection.newStream(protocol, { maxOutboundStreams: 10_000 })
}

function framed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...encodeVarint(bytes.byteLength), ...bytes])
}

/** Resolves when the stream is over at the other side. */
async function ended(stream: Stream): Promise<void> {
  if (stream.status !== 'open' || stream.readableEnded) return
  await new Promise<void>((resolve) => {
    for (const type of ['close', 'end'] as const) stream.addEventListener(type, () => resolve(), { once: true })
  })
}

test('streams that say nothing are cut, counted and named', async () => {
  const scenery = await scene()
  const silent = await Promise.all(Array.from({ length: 30 }, async () => await open(scenery.connection)))
  await scenery.undisturbed()
  expect((await scenery.serving.metrics()).streamsOpen).toBeLessThanOrEqual(DEFAULT_LIMITS.streamsPerPeer)
  await Promise.all(silent.map(ended))
  await scenery.settled()
  expectNamed(scenery, 'request_timeout')
  expectNamed(scenery, 'rate_limited')
})

test('silent streams of many peers do not shut others out', async () => {
  const scenery = await scene({ unreadStreams: 8, requestReadTimeoutMs: 60_000 })
  const others = [scenery.connection, await dial(await caller(), scenery.serving)]
  for (let stream = 0; stream < 12; stream++) await Promise.all(others.map(async (other) => await open(other)))
  await scenery.undisturbed()
  expect((await scenery.serving.metrics()).streamsOpen).toBeLessThanOrEqual(8)
  expectNamed(scenery, 'unreadStreams')
  for (const other of others) other.abort(new Error('the end'))
  await scenery.settled()
})

test.each(['silence', 'end'] as const)('half a frame and then %s', async (then) => {
  const scenery = await scene()
  const { bytes } = encodeRequest(request(scenery.engine, { input: { prompt: SECRET } }))
  const stream = await open(scenery.connection)
  stream.send(framed(bytes).subarray(0, bytes.byteLength / 2))
  if (then === 'end') await stream.close()
  await scenery.undisturbed()
  await ended(stream)
  await scenery.settled()
  expectNamed(scenery, then === 'end' ? 'stream_cut' : 'request_timeout')
})

test('a prompt of 100 MB is refused before it is read', async () => {
  const scenery = await scene()
  const stream = await open(scenery.connection)
  const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
  const chunk = new TextEncoder().encode(SECRET.repeat(3000))
  let sent = 0
  stream.send(encodeVarint(100 * 1024 * 1024))
  while (stream.status === 'open' && sent < 100 * 1024 * 1024) {
    sent += chunk.byteLength
    if (!stream.send(chunk)) break
  }
  // Its window is full, so that it could not end its side if it would.
  const refusal = await frames.receive({ timeoutMs: 20_000, timeoutCode: 'token_timeout' })
  expect(decodeNodeFrame(refusal!)).toMatchObject({
    type: 'error',
    code: 'invalid_request',
    detail: expect.stringContaining('2097152')
  })
  frames.abort(new Error('refused'))
  // The windows of one stream and what lay in the buffers.
  expect(sent).toBeLessThan(4 * 1024 * 1024)
  await scenery.settled()
  expectNamed(scenery, 'protocol_violation')
})

test('a flood of requests is bounded and named, and others get their turn', async () => {
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
  expect(taken).toHaveLength(DEFAULT_LIMITS.streamsPerPeer)
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 40, limit: 'rate_limited', peer: hostile.peerId.toString() })
  )
  // A line for each limit, not for each request.
  expect(lines.filter(({ level }) => level >= 40).length).toBeLessThan(10)
  expect(JSON.stringify(lines)).not.toContain(SECRET)

  const friend = await Call.open(await dial(await caller(), serving), request(engine))
  expect(await friend.expect('accepted')).toMatchObject({ queuePosition: 1, load: { queued: 13 } })
  gate.open()
  expect((await friend.rest()).last).toMatchObject({ type: 'done' })
  connection.abort(new Error('the end'))
  await until(serving, ({ streamsOpen, slotsFree }) => streamsOpen === 0 && slotsFree === engine.slots)
})

test.each<[string, Uint8Array[]]>([
  ['more credit than may be', [encodeCredit(MAX_CREDIT), encodeCredit(MAX_CREDIT)]],
  ['no credit at all', [new Uint8Array([0x12, 0x00])]],
  ['bytes that are no frame', [Uint8Array.from({ length: 100 }, () => 0xff)]]
])('after a request, %s ends the answer', async (_, hostile) => {
  const scenery = await scene({ ...QUICK, creditTimeoutMs: 10_000 })
  const call = await Call.open(scenery.connection, request(scenery.engine, { credit: 1 }))
  await call.expect('accepted')
  await call.expect('delta')
  for (const bytes of hostile) {
    await call.frames.send(bytes, { timeoutMs: 1000, timeoutCode: 'token_timeout' })
  }
  expect((await call.rest()).last).toMatchObject({ type: 'error', code: 'invalid_request' })
  await scenery.settled()
  expectNamed(scenery, 'invalid_request')
})

test('thousands of random and mutated frames leave the node as it was', { timeout: 120_000 }, async () => {
  // Patient beyond measure, so that every frame is looked at.
  const scenery = await scene({ ...QUICK, creditTimeoutMs: 5, patience: 1e9, streamsPerPeer: 64 })
  const random = xorshift(20_261_120)
  const { bytes: good } = encodeRequest(request(scenery.engine, { credit: 2, maxTokens: 8 }))
  const credit = encodeCredit(4)
  const hostileBytes = (): Uint8Array => {
    switch (random() % 4) {
      case 0:
        return randomBytes(random)
      case 1:
        return framed(randomBytes(random))
      case 2:
        // The first byte of the length too: half frames and oversized ones.
        return mutate(framed(good), random)
      default: {
        const frames = [good, ...Array.from({ length: 4 }, () => mutate(credit, random))]
        return Uint8Array.from(frames.flatMap((frame) => [...framed(frame)]))
      }
    }
  }
  const attack = async (): Promise<void> => {
    const stream = await open(scenery.connection)
    stream.addEventListener('message', () => {})
    stream.send(hostileBytes())
    if (random() % 8 === 0) stream.abort(new Error('gone'))
    else await stream.close()
    await ended(stream)
  }
  await scenery.undisturbed()
  const heapBefore = heapBytes()
  for (let round = 0; round < 170; round++) {
    await Promise.all(Array.from({ length: 24 }, attack))
    if (round % 50 === 0) await scenery.undisturbed()
  }
  await scenery.settled()
  expect(heapBytes() - heapBefore).toBeLessThan(20 * 1024 * 1024)
  expect(scenery.lines.filter(({ level }) => level >= 50)).toEqual([])
})

test.each([CARD_PROTOCOL, KAD_PROTOCOL])('garbage on %s', async (protocol) => {
  const scenery = await scene()
  const random = xorshift(7)
  for (let round = 0; round < 25; round++) {
    const streams = await Promise.all(
      Array.from({ length: 8 }, async () => await open(scenery.connection, protocol).catch(() => undefined))
    )
    for (const stream of streams) if (stream?.status === 'open') stream.send(framed(randomBytes(random)))
    await scenery.undisturbed()
    for (const stream of streams) stream?.abort(new Error('gone'))
  }
  await scenery.settled()
})
