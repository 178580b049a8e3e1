import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'

import { keepsConnection } from '../../../node/network/kept-connections.ts'

const RELAY = '12D3KooWFXieqWHqXXo6VDRrVFEVzfyoRchugKHV8Rdgv6TDLNtx'
const NAMED = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'
const OTHER = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'

test('a host keeps its connections to relays with its reservation and to the peers that its owner named', () => {
  const host = {
    addresses: [multiaddr('/ip4/10.0.0.1/tcp/1'), multiaddr(`/ip4/10.0.0.2/tcp/1/p2p/${RELAY}/p2p-circuit`)],
    named: new Set([NAMED])
  }
  const keeps = (peer: string, direction: 'inbound' | 'outbound' = 'outbound'): boolean =>
    keepsConnection({ remotePeer: peerIdFromString(peer), direction }, host)
  expect(keeps(RELAY)).toBe(true)
  expect(keeps(NAMED)).toBe(true)
  expect(keeps(OTHER)).toBe(false)
  // The other end checks it.
  expect(keeps(RELAY, 'inbound')).toBe(false)
})
