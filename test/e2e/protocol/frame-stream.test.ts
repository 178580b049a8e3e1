import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import type { Stream } from '@libp2p/interface'
import { FrameStream, PotluckError, STREAM_WINDOW_BYTES, type ErrorCode, type FrameWait } from '@potluck/protocol'
import { createLibp2p, type Libp2p } from 'libp2p'
import { encode } from 'uint8-varint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const PROTOCOL = '/test/frames/1.0.0'
const MAX_FRAME_BYTES = 1024 * 1024
const wait: FrameWait = { timeoutMs: 20_000, timeoutCode: 'token_timeout' }

let server: Libp2p
let client: Libp2p
let accept: (stream: Stream) => void

async function peer(listen: string[]): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })]
  })
}

beforeAll(async () => {
  server = await peer(['/ip4/127.0.0.1/tcp/0'])
  client = await peer([])
  await server.handle(PROTOCOL, (stream) => accept(stream), { maxInboundStreams: 64 })
})

afterAll(async () => {
  await client.stop()
  await server.stop()
})

async function pair(): Promise<{ near: Stream; far: Stream }> {
  const inbound = new Promise<Stream>((resolve) => {
    accept = resolve
  })
  const near = await client.dialProtocol(server.getMultiaddrs(), PROTOCOL)
  return { near, far: await inbound }
}

async function framePair(): Promise<{ near: FrameStream; far: FrameStream; raw: { near: Stream; far: Stream } }> {
  const raw = await pair()
  return {
    near: new FrameStream(raw.near, { maxFrameBytes: MAX_FRAME_BYTES }),
    far: new FrameStream(raw.far, { maxFrameBytes: MAX_FRAME_BYTES }),
    raw
  }
}

/** Returns the code that the promise fails with. */
async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof PotluckError) return error.code
    throw error
  }
}

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

describe('frames', () => {
  test('of all sizes arrive complete and in order, then the end', async () => {
    const { near, far } = await framePair()
    const sizes = [0, 1, 127, 128, 16_383, 16_384, 70_000, MAX_FRAME_BYTES, 5]
    const sending = (async () => {
      for (const [index, size] of sizes.entries()) await near.send(filled(size, index), wait)
      await near.close()
    })()
    for (const [index, size] of sizes.entries()) {
      expect(Buffer.compare((await far.receive(wait))!, filled(size, index))).toBe(0)
    }
    expect(await far.receive(wait)).toBeUndefined()
    await sending
  })

  test('are the same if each byte arrives alone, or many frames in one chunk', async () => {
    const { near: stream, far } = await pair()
    const reader = new FrameStream(far, { maxFrameBytes: MAX_FRAME_BYTES })
    const bytes = Uint8Array.from([...encode(3), 1, 2, 3, ...encode(0), ...encode(2), 4, 5])
    for (const byte of bytes) stream.send(Uint8Array.of(byte))
    stream.send(Uint8Array.from([...bytes, ...bytes]))
    for (let round = 0; round < 3; round++) {
      expect(await reader.receive(wait)).toEqual(Uint8Array.of(1, 2, 3))
      expect(await reader.receive(wait)).toEqual(new Uint8Array())
      expect(await reader.receive(wait)).toEqual(Uint8Array.of(4, 5))
    }
  })

  test('that were sent before a close can be read after it, even if the stream is paused', async () => {
    const { near, far, raw } = await framePair()
    const frames = 40
    for (let index = 0; index < frames; index++) await near.send(filled(4000, index), wait)
    await near.close()
    await expect.poll(() => raw.far.readStatus).toBe('paused')
    for (let index = 0; index < frames; index++) expect((await far.receive(wait))![0]).toBe(index)
    expect(await far.receive(wait)).toBeUndefined()
  })
})

describe('backpressure', () => {
  test('a sender waits until its reader reads', async () => {
    const { near, far, raw } = await framePair()
    const frame = filled(16_000, 1)
    const total = 200
    let sent = 0
    const sending = (async () => {
      for (; sent < total; sent++) await near.send(frame, wait)
    })()
    await expect.poll(() => raw.near.writableNeedsDrain).toBe(true)
    const held = sent * frame.length
    // Room for the reader's buffer, the muxer's windows, and the frame that the sender sends now.
    expect(held).toBeLessThan(2 * STREAM_WINDOW_BYTES + 64 * 1024 + frame.length)
    expect(raw.near.writeBufferLength).toBeLessThanOrEqual(frame.length + 8)
    for (let index = 0; index < total; index++) expect((await far.receive(wait))!.length).toBe(frame.length)
    await sending
  })
})

describe('sendRequest', () => {
  test('resolves when a refusal arrives, although the other side has stopped reading', async () => {
    const { near, far } = await framePair()
    const sending = near.sendRequest(filled(MAX_FRAME_BYTES, 1), wait)
    await far.send(filled(3, 7), wait)
    await sending
    expect(await near.receive(wait)).toEqual(filled(3, 7))
  })

  test('sends the whole request if the other side does not refuse it', async () => {
    const { near, far } = await framePair()
    const sending = near.sendRequest(filled(MAX_FRAME_BYTES, 1), wait)
    expect((await far.receive(wait))!.length).toBe(MAX_FRAME_BYTES)
    await sending
  })
})

describe('the end of a stream', () => {
  test('a reset rejects a pending receive and aborts closed', async () => {
    const { near, far } = await framePair()
    const pending = far.receive(wait)
    await near.send(filled(3, 1), wait)
    expect(await pending).toEqual(filled(3, 1))
    const next = codeOf(far.receive(wait))
    near.abort(new Error('the caller cancelled'))
    expect(await next).toBe('stream_cut')
    expect(far.closed.aborted).toBe(true)
    expect(await codeOf(far.send(filled(1, 1), wait))).toBe('stream_cut')
    expect(await codeOf(near.receive(wait))).toBe('stream_cut')
  })

  test('a reset rejects a send that waits for the reader', async () => {
    const { near, far, raw } = await framePair()
    const sending = codeOf(
      (async () => {
        for (;;) await near.send(filled(64_000, 1), wait)
      })()
    )
    await expect.poll(() => raw.near.writableNeedsDrain).toBe(true)
    far.abort(new Error('the node stopped'))
    expect(await sending).toBe('stream_cut')
  })

  test('an end inside a frame is stream_cut', async () => {
    const { near: stream, far } = await pair()
    const reader = new FrameStream(far, { maxFrameBytes: MAX_FRAME_BYTES })
    stream.send(Uint8Array.of(10, 1, 2, 3))
    await stream.close()
    expect(await codeOf(reader.receive(wait))).toBe('stream_cut')
  })

  test.each([
    ['a length above the limit', encode(MAX_FRAME_BYTES + 1)],
    ['a length that never ends', new Uint8Array(12).fill(0xff)]
  ])('%s is refused at once', async (_, bytes) => {
    const { near: stream, far } = await pair()
    const reader = new FrameStream(far, { maxFrameBytes: MAX_FRAME_BYTES })
    stream.send(bytes)
    expect(await codeOf(reader.receive(wait))).toBe('protocol_violation')
  })

  test('a timeout rejects with the given code, an abort with aborted', async () => {
    const { far } = await framePair()
    expect(await codeOf(far.receive({ timeoutMs: 1, timeoutCode: 'admission_timeout' }))).toBe('admission_timeout')
    const controller = new AbortController()
    const pending = codeOf(far.receive({ ...wait, signal: controller.signal }))
    controller.abort()
    expect(await pending).toBe('aborted')
    expect(await codeOf(far.receive({ ...wait, signal: controller.signal }))).toBe('aborted')
  })

  test('a lost connection ends a pending receive and aborts closed', async () => {
    const { far } = await framePair()
    const pending = codeOf(far.receive(wait))
    await client.hangUp(server.peerId)
    // libp2p reports a lost connection as an end or as a reset. In both cases there was no terminal frame.
    expect(['none', 'stream_cut']).toContain(await pending)
    await expect.poll(() => far.closed.aborted).toBe(true)
  })
})
