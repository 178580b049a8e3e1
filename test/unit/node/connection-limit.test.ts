/** Connections of one subnet must not take all places of a node. */
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'

import { ConnectionLimit } from '../../../node/network/connection-limit.ts'

const BOUNDS = { connections: 96, pending: 64 }

class Incoming extends EventTarget {
  readonly remoteAddr
  constructor(address: string) {
    super()
    this.remoteAddr = multiaddr(address)
  }
}

/** A host, and how many connections of one address it accepts, with or without their handshakes. */
function setUp() {
  const open: Connection[] = []
  const host = { getConnections: () => open }
  const limit = new ConnectionLimit(BOUNDS)
  const connect = (address: string, direction: Connection['direction'] = 'inbound'): boolean => {
    const incoming = new Incoming(address)
    if (limit.refuses(host, incoming) || limit.refusesUpgraded(host, incoming)) return false
    open.push({ remoteAddr: incoming.remoteAddr, direction } as Connection)
    return true
  }
  const accepted = (address: string): number =>
    Array.from({ length: 200 }, () => connect(address)).filter(Boolean).length
  return { host, limit, open, connect, accepted }
}

test.each([
  ['one address', '/ip4/8.8.8.8/tcp/5001', 12],
  ['one relay', '/ip4/8.8.8.8/tcp/4001/p2p-circuit', 48],
  ['a LAN', '/ip4/192.168.1.7/tcp/5001', 200],
  ['loopback', '/ip6/::1/tcp/5001', 200]
])('%s', (_, address, count) => {
  expect(setUp().accepted(address)).toBe(count)
})

test('other subnets, and connections that the host opened, are not affected', () => {
  const { open, connect, accepted } = setUp()
  for (let index = 0; index < 20; index++) {
    open.push({ remoteAddr: multiaddr('/ip4/8.8.8.8/tcp/4001'), direction: 'outbound' } as Connection)
  }
  expect(accepted('/ip4/8.8.8.8/tcp/5001')).toBe(12)
  expect(connect('/ip4/8.8.9.8/tcp/5001')).toBe(true)
  open.pop()
  open.splice(20, 1)
  expect(connect('/ip4/8.8.8.9/tcp/5001')).toBe(true)
})

test('silent connections of one address leave handshakes for others', () => {
  const { host, limit } = setUp()
  const silent = Array.from({ length: 64 }, () => new Incoming('/ip4/8.8.8.8/tcp/5001'))
  const waiting = silent.filter((one) => !limit.refuses(host, one))
  expect(waiting).toHaveLength(8)
  expect(limit.refuses(host, new Incoming('/ip4/8.8.9.8/tcp/5001'))).toBe(false)
  waiting[0]?.dispatchEvent(new Event('close'))
  expect(limit.refuses(host, new Incoming('/ip4/8.8.8.9/tcp/5001'))).toBe(false)
  expect(limit.refuses(host, new Incoming('/ip4/8.8.8.9/tcp/5001'))).toBe(true)
})
