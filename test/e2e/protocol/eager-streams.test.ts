/** Runs real libp2p, because `eagerStreams` uses a private part of it, which can change with its version. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Connection, Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { EAGER, eagerStreams, FrameStream } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import { expect, onTestFinished, test } from 'vitest'

const PROTOCOL = '/test/1.0.0'
const wait = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const

async function peer(): Promise<Libp2p> {
  const made = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [eagerStreams(yamux())]
  })
  onTestFinished(async () => await made.stop())
  return made
}

async function connected(): Promise<{ connection: Connection; other: Libp2p }> {
  const [own, other] = [await peer(), await peer()]
  return { connection: await own.dial(other.getMultiaddrs()), other }
}

const open = async (connection: Connection): Promise<FrameStream> =>
  new FrameStream(await connection.newStream(PROTOCOL, { ...EAGER, signal: AbortSignal.timeout(20_000) }), {
    maxFrameBytes: 100_000
  })

test('a stream opens before the other side agrees, and carries frames of any size in both directions', async () => {
  const { connection, other } = await connected()
  const agree = Promise.withResolvers<void>()
  await other.handle(PROTOCOL, async (stream) => {
    await agree.promise
    const frames = new FrameStream(stream, { maxFrameBytes: 100_000 })
    for (let frame = await frames.receive(wait); frame !== undefined; frame = await frames.receive(wait)) {
      await frames.send(frame, wait)
    }
    await frames.close()
  })
  const frames = await open(connection)
  const sent = [1, 100, 90_000].map((size) => new Uint8Array(size).fill(size % 256))
  for (const frame of sent) await frames.send(frame, wait)
  agree.resolve()
  for (const frame of sent) expect(await frames.receive(wait)).toEqual(frame)
  await frames.close()
})

test('a peer that does not know the protocol resets the stream, and the connection stays open', async () => {
  const { connection } = await connected()
  const frames = await open(connection)
  await expect(frames.receive(wait)).rejects.toMatchObject({ code: 'stream_cut' })
  expect(connection.status).toBe('open')
})
