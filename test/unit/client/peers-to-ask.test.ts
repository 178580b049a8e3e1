/** Which peers a lookup asks next, and how many at once. */
import { expect, test } from 'vitest'

import { PARALLEL_PER_STORER } from '../../../client/base/constants.ts'
import { PeersToAsk, type PeerToAsk } from '../../../client/discover/peers-to-ask.ts'
import { Places } from '../../../client/discover/places.ts'
import { seeded } from '../../seeded.ts'
import { FakeNetwork } from './fake-network.ts'

test('a storer that names many peers leaves places for those of the next storer', () => {
  const network = new FakeNetwork(1)
  const peers = new PeersToAsk(seeded(1))
  const signal = new AbortController().signal
  const places = new Places({ clock: network.clock, signal, onChange: () => undefined })
  const askNext = (): PeerToAsk | undefined => {
    const peer = peers.next({ provider: places.freeForProvider, reserve: false })
    if (peer !== undefined) places.take(peer)
    return peer
  }
  const asked = (): PeerToAsk[] => {
    const all: PeerToAsk[] = []
    for (let peer = askNext(); peer !== undefined; peer = askNext()) all.push(peer)
    return all
  }
  peers.add('provider', network.many(64, 'silent'))
  expect(asked()).toHaveLength(PARALLEL_PER_STORER)
  const live = network.many(2, 'node')
  peers.add('provider', live)
  expect(new Set(asked().map(({ peerId }) => peerId))).toEqual(new Set(live.map(({ peerId }) => peerId)))
})
