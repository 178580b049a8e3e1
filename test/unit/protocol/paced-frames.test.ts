/** Which connections share a rate, with a muxer that only counts. `test/e2e/protocol/paced-frames.test.ts` has the real one. */
import type { StreamMuxer } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { pacedFrames } from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { FLAG, header, TYPE } from '../../attacks/floods/frames.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const OPENS = concat(Array.from({ length: 5_000 }, (_, index) => header(TYPE.windowUpdate, FLAG.syn, 1 + 2 * index, 0)))

/** Two connections from these addresses open streams as fast as they can. Returns how many were opened in a second. */
async function openedBy(addresses: readonly string[]): Promise<number> {
  let opened = 0
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
      handleFrame: () => opened++,
      onTransportClosed: () => undefined
    }) as unknown as StreamMuxer
  const made: StreamMuxer[] = []
  const factory = pacedFrames(() => ({
    protocol: '/yamux/1.0.0',
    createStreamMuxer: () => made[made.length - 1]!
  }))({})
  for (const address of addresses) {
    made.push(muxerOf(address))
    const muxer = factory.createStreamMuxer({} as never) as unknown as { onData: (bytes: Uint8Array) => void }
    muxer.onData(OPENS)
  }
  await vi.advanceTimersByTimeAsync(1_000)
  return opened
}

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
