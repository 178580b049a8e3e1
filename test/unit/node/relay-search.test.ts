/** The search for relays: it pauses between walks, and survives a failed one. */
import { setImmediate } from 'node:timers/promises'

import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerInfo, PeerRouting } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect, test, vi } from 'vitest'

import { searchPeers } from '../../../node/network/relay-search.ts'

const peer: PeerInfo = { id: peerIdFromPrivateKey(await generateKeyPair('Ed25519')), multiaddrs: [] }

test('walks again after a pause, also if a walk failed, until the signal fires', async () => {
  let walks = 0
  const routing: Pick<PeerRouting, 'getClosestPeers'> = {
    async *getClosestPeers() {
      walks++
      await setImmediate()
      if (walks === 1) throw new Error('no peer')
      yield peer
    }
  }
  const stop = new AbortController()
  const found = searchPeers(routing, stop.signal, { first: 1, last: 1 })
  expect((await found.next()).value).toBe(peer)
  expect((await found.next()).value).toBe(peer)
  expect(walks).toBe(3)

  const waiting = searchPeers(routing, stop.signal, { first: 3_600_000, last: 3_600_000 })
  await waiting.next()
  const next = waiting.next()
  await vi.waitUntil(() => walks === 4)
  stop.abort()
  await expect(next).rejects.toThrow('aborted')
  expect(walks).toBe(4)
})
