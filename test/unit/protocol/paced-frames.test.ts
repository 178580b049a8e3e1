/**
 * Which connections share a rate, with a muxer that only counts. `test/e2e/protocol/paced-frames.test.ts` has the real
 * one.
 */
import type { StreamMuxer } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { pacedFrames } from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { data, FLAG, header, TYPE } from '../../attacks/floods/frames.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const OPENS = concat(Array.from({ length: 5_000 }, (_, index) => header(TYPE.windowUpdate, FLAG.syn, 1 + 2 * index, 0)))

interface FakeMuxer {
  maConn: { readStatus: string }
  onData: (bytes: Uint8Array) => void
}

/** Connections from these addresses, whose muxers only count the frames. */
function connections(addresses: readonly string[], onFrame: () => void): FakeMuxer[] {
  const layer = (): object => {
    const made = {
      readStatus: 'readable',
      pause: () => void (made.readStatus = 'paused'),
      resume: () => void (made.readStatus = 'readable'),
      abort: vi.fn()
    }
    return made
  }
  const muxerOf = (address: string): StreamMuxer =>
    ({
      status: 'open',
      maConn: Object.assign(layer(), { stream: Object.assign(layer(), { remoteAddr: multiaddr(address) }) }),
      handleFrame: onFrame,
      onTransportClosed: () => undefined
    }) as unknown as StreamMuxer
  const left = addresses.map(muxerOf)
  const factory = pacedFrames(() => ({ protocol: '/yamux/1.0.0', createStreamMuxer: () => left.shift()! }))({})
  return addresses.map(() => factory.createStreamMuxer({} as never) as unknown as FakeMuxer)
}

/** Two connections from these addresses open streams as fast as they can. Returns how many were opened in a second. */
async function openedBy(addresses: readonly string[]): Promise<number> {
  let opened = 0
  for (const muxer of connections(addresses, () => opened++)) muxer.onData(OPENS)
  await vi.advanceTimersByTimeAsync(1_000)
  return opened
}

/** Sends one message of Noise after the other while the connection is read. Returns how many. */
async function sentIn(seconds: number, message: Uint8Array, first: Uint8Array = message): Promise<number> {
  const [muxer] = connections(['/ip4/5.9.0.1/tcp/1'], () => undefined)
  muxer!.onData(first)
  let sent = 0
  for (let ms = 0; ms < seconds * 1_000; ms++) {
    for (; muxer!.maConn.readStatus === 'readable' && sent < 1e6; sent++) muxer!.onData(message)
    await vi.advanceTimersByTimeAsync(1)
  }
  return sent
}

test('a peer sends 33,000 messages of one byte at once, and then 6,700 per second, also inside one frame', async () => {
  const first = header(TYPE.data, FLAG.none, 1, 200_000)
  const sent = await sentIn(2, Uint8Array.of(0), first)
  expect(sent).toBeGreaterThan(33_000 + 2 * 6_600)
  expect(sent).toBeLessThan(33_400 + 2 * 6_800)
})

test('a node can send 3,200 tokens per second, each in a message of its own', async () => {
  const token = data(FLAG.none, 1, new Uint8Array(40))
  expect(await sentIn(20, token)).toBeGreaterThan(20 * 3_200)
})

test('a connection opens 500 streams at once, and then 100 per second', async () => {
  const opened = await openedBy(['/ip4/5.9.0.1/tcp/1'])
  expect(opened).toBeGreaterThan(550)
  expect(opened).toBeLessThan(650)
})

test('the connections of one public host share the rate', async () => {
  expect(await openedBy(['/ip4/5.9.0.1/tcp/1', '/ip4/5.9.0.1/tcp/2'])).toBeLessThan(650)
})

test.each([
  ['of two hosts', ['/ip4/5.9.0.1/tcp/1', '/ip4/5.9.0.2/tcp/1']],
  ['of a LAN', ['/ip4/192.168.0.1/tcp/1', '/ip4/192.168.0.1/tcp/2']],
  [
    'through a relay',
    [
      '/ip4/5.9.0.1/tcp/1/p2p/12D3KooWFXieqWHqXXo6VDRrVFEVzfyoRchugKHV8Rdgv6TDLNtx/p2p-circuit',
      '/ip4/5.9.0.1/tcp/1/p2p/12D3KooWFXieqWHqXXo6VDRrVFEVzfyoRchugKHV8Rdgv6TDLNtx/p2p-circuit'
    ]
  ]
])('connections %s have a rate of their own', async (_, addresses) => {
  expect(await openedBy(addresses)).toBeGreaterThan(1_100)
})
