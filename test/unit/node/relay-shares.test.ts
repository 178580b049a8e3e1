/** The shares of reservations and relayed connections that one host and one subnet can have. */
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { sha256 } from '@noble/hashes/sha2.js'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { expect, test, vi } from 'vitest'

import { endReservations, refusesRelayed, refusesReservation } from '../../../node/network/relay-shares.ts'

type Host = Parameters<typeof refusesReservation>[0]

function peer(name: string): PeerId {
  return peerIdFromMultihash(createMultihash(0x12, sha256(new TextEncoder().encode(name))))
}

/** A relay to which peers connect. Each connection has this many relayed connections open. */
function relay(): {
  host: Host
  connect: (name: string, address: string, relayed?: number) => PeerId
  reserve: (name: string, address: string) => boolean
  leave: (peerId: PeerId) => void
  clear: ReturnType<typeof vi.fn>
} {
  const connections: unknown[] = []
  const byPeer = new Map<string, unknown>()
  const reservations = {
    has: (one: PeerId) => byPeer.has(one.toString()),
    get: (one: PeerId) => byPeer.get(one.toString()),
    delete: (one: PeerId) => byPeer.delete(one.toString()),
    values: () => byPeer.values()
  }
  const events = new EventTarget()
  const clear = vi.fn()
  const host = {
    getConnections: (of?: PeerId) =>
      connections.filter((one) => of === undefined || (one as { remotePeer: PeerId }).remotePeer.equals(of)),
    addEventListener: events.addEventListener.bind(events),
    services: { relay: { reservations } }
  } as unknown as Host
  const connect = (name: string, address: string, relayed = 0): PeerId => {
    const streams = Array.from({ length: relayed }, () => ({ direction: 'inbound', protocol: RELAY_V2_HOP_CODEC }))
    connections.push({ remotePeer: peer(name), remoteAddr: multiaddr(address), direct: true, streams })
    return peer(name)
  }
  const reserve = (name: string, address: string): boolean => {
    const source = connect(name, address)
    if (refusesReservation(host, source)) return false
    byPeer.set(source.toString(), { addr: multiaddr(address), signal: { clear } })
    return true
  }
  const leave = (detail: PeerId): void => void events.dispatchEvent(new CustomEvent('peer:disconnect', { detail }))
  return { host, connect, reserve, leave, clear }
}

function reserved(count: number, address: (index: number) => string): number {
  const { reserve } = relay()
  return Array.from({ length: count }, (_, index) => reserve(`${index}`, address(index))).filter(Boolean).length
}

test.each([
  ['one address', (index: number) => `/ip4/5.9.0.1/tcp/${index + 1}`, 8],
  ['one subnet', (index: number) => `/ip4/5.9.0.${index % 250}/tcp/1`, 64],
  ['a /56 of IPv6', (index: number) => `/ip6/2a01:4f8:1:100::${(index + 1).toString(16)}/tcp/1`, 8],
  ['a /48 of IPv6', (index: number) => `/ip6/2a01:4f8:1:${(index % 250).toString(16)}00::1/tcp/1`, 64],
  ['different subnets', (index: number) => `/ip4/5.9.${index % 250}.1/tcp/1`, 300],
  ['a LAN', () => '/ip4/192.168.1.7/tcp/1', 300]
])('of 300 keys of %s, some get a reservation', (_, address, expected) => {
  expect(reserved(300, address)).toBe(expected)
})

test('a peer renews its reservation, and makes room when it leaves', () => {
  const { host, reserve, leave, clear } = relay()
  endReservations(host)
  for (let index = 0; index < 8; index++) reserve(`${index}`, '/ip4/5.9.0.1/tcp/1')
  expect(refusesReservation(host, peer('0'))).toBe(false)
  expect(reserve('late', '/ip4/5.9.0.1/tcp/1')).toBe(false)
  leave(peer('0'))
  expect(clear).toHaveBeenCalledOnce()
  expect(reserve('late', '/ip4/5.9.0.1/tcp/1')).toBe(true)
})

test('a peer, a host and a subnet have a share of the relayed connections', () => {
  const { host, connect } = relay()
  expect(refusesRelayed(host, connect('few', '/ip4/5.9.0.1/tcp/1', 32))).toBe(false)
  expect(refusesRelayed(host, connect('many', '/ip4/5.9.0.2/tcp/1', 33))).toBe(true)
  expect(refusesRelayed(host, connect('full', '/ip4/5.9.0.1/tcp/2', 32))).toBe(false)
  expect(refusesRelayed(host, connect('next', '/ip4/5.9.0.1/tcp/3', 1))).toBe(true)
  expect(refusesRelayed(host, connect('other', '/ip4/5.9.1.1/tcp/1', 1))).toBe(false)
  for (let index = 0; index < 16; index++) connect(`${index}`, `/ip4/5.9.0.${index + 10}/tcp/1`, 32)
  expect(refusesRelayed(host, connect('last', '/ip4/5.9.0.200/tcp/1', 1))).toBe(true)
  expect(refusesRelayed(host, peer('not connected'))).toBe(true)
})
