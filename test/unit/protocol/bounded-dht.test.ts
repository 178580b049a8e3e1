/** What the DHT of a client sends by itself. The host has no transport, so a walk would be a call of the router. */
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { boundedKadDht, kadOptions } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import { expect, onTestFinished, test, vi } from 'vitest'

const NEVER_MS = 2 ** 31 - 1

test('a DHT with the longest intervals does not walk in a day', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const dht = boundedKadDht({
    ...kadOptions({ scope: 'local', clientMode: true }),
    initialQuerySelfInterval: NEVER_MS,
    querySelfInterval: NEVER_MS
  })
  const host = await createLibp2p({ start: false, services: { identify: identify(), ping: ping(), dht } })
  const { peerRouting } = host.services.dht as unknown as { peerRouting: { getClosestPeers: () => unknown } }
  const walks = vi.spyOn(peerRouting, 'getClosestPeers')
  await host.start()
  onTestFinished(async () => await host.stop())
  await vi.advanceTimersByTimeAsync(24 * 60 * 60 * 1000)
  expect(walks).not.toHaveBeenCalled()
})
