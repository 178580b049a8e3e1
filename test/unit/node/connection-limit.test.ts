/** Connections of one address or subnet must not take all places of a node. */
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { GENERATE_PROTOCOL } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { ConnectionLimit } from '../../../node/network/connection-limit.ts'

const BOUNDS = { connections: 96, pending: 64, perHost: { capacity: 250, perSecond: 8 } }
const SETTLED_MS = 30_000

class Incoming extends EventTarget {
  readonly remoteAddr
  isAborted = false
  constructor(address: string) {
    super()
    this.remoteAddr = multiaddr(address)
  }
  abort(): void {
    this.isAborted = true
    this.dispatchEvent(new Event('close'))
  }
}

interface Options {
  direction?: Connection['direction']
  /** Protocols of the peer's open streams. */
  streams?: string[]
  tags?: string[]
  peer?: string
}

/** A host with a clock, which opens and closes connections as its limit says. */
function setUp({ named = [] as string[] } = {}) {
  const open: Connection[] = []
  const tags = new Map<string, Map<string, unknown>>()
  const clock = { now: 0 }
  const host = {
    getConnections: () => open,
    peerStore: {
      get: async (peer: unknown) => {
        const known = tags.get(String(peer))
        if (known === undefined) throw new Error('not found')
        return { tags: known }
      }
    }
  } as never
  const limit = new ConnectionLimit(BOUNDS, named, { now: () => clock.now, monotonic: () => clock.now })
  let peers = 0
  const add = (
    address: string,
    { direction = 'inbound', streams = [], tags: own = [], peer }: Options = {}
  ): Connection => {
    const remotePeer = peer ?? `peer ${peers++}`
    if (own.length > 0) tags.set(remotePeer, new Map(own.map((tag) => [tag, {}])))
    const connection = {
      remoteAddr: multiaddr(address),
      remotePeer,
      direction,
      timeline: { open: clock.now },
      streams: streams.map((protocol) => ({ protocol, direction: 'inbound' })),
      close: async () => void open.splice(open.indexOf(connection), 1)
    } as unknown as Connection
    open.push(connection)
    return connection
  }
  const connect = async (address: string, options: Options = {}): Promise<Connection | undefined> => {
    const incoming = new Incoming(address)
    if (limit.refuses(host, incoming) || (await limit.refusesUpgraded(host, incoming))) return undefined
    return add(address, options)
  }
  const accepted = async (address: (index: number) => string, options: Options = {}): Promise<number> => {
    let count = 0
    for (let index = 0; index < 200; index++) if ((await connect(address(index), options)) !== undefined) count++
    return count
  }
  return { host, limit, open, clock, add, connect, accepted }
}

test.each([
  ['one address', () => '/ip4/8.8.8.8/tcp/5001', 8],
  ['one /24', (index: number) => `/ip4/8.8.8.${index}/tcp/5001`, 12],
  ['one /56', (index: number) => `/ip6/2001:4860:1:a0${index % 10}::1/tcp/5001`, 8],
  ['one /48', (index: number) => `/ip6/2001:4860:1:${10 + (index % 90)}00::1/tcp/5001`, 12],
  ['one relay', () => '/ip4/8.8.8.8/tcp/4001/p2p-circuit', 48]
])('%s has a share of the connections', async (_, address, count) => {
  const { accepted, open } = setUp()
  expect(await accepted(address)).toBe(count)
  expect(open).toHaveLength(count)
})

test('other subnets, and connections that the host opened, are not affected', async () => {
  const { open, add, connect, accepted } = setUp()
  for (let index = 0; index < 20; index++) add('/ip4/8.8.8.8/tcp/4001', { direction: 'outbound' })
  expect(await accepted(() => '/ip4/8.8.8.8/tcp/5001')).toBe(8)
  expect(await connect('/ip4/8.8.9.8/tcp/5001')).toBeDefined()
  open.splice(20, 1)
  expect(await connect('/ip4/8.8.8.8/tcp/5001')).toBeDefined()
})

test('in a full share, a settled idle connection gives way to a new one', async () => {
  const { open, clock, connect } = setUp()
  const address = '/ip4/8.8.8.8/tcp/5001'
  const oldest = await connect(address)
  for (let index = 1; index < 8; index++) await connect(address, { streams: [GENERATE_PROTOCOL] })
  expect(await connect(address)).toBeUndefined()
  clock.now = SETTLED_MS
  expect(await connect(address)).toBeDefined()
  expect(open).not.toContain(oldest)
  expect(await connect(address)).toBeUndefined()
})

test('if all connections are taken, the oldest idle one of the largest subnet gives way', async () => {
  const { open, clock, add, connect, accepted } = setUp()
  const small = add('/ip4/192.168.1.7/tcp/1')
  const busy = add('/ip4/127.0.1.1/tcp/1', { streams: [GENERATE_PROTOCOL] })
  const oldest = add('/ip4/127.0.1.1/tcp/1')
  clock.now = 1
  expect(await accepted(() => '/ip4/127.0.1.2/tcp/1')).toBe(200)
  expect(open).toHaveLength(96)
  expect(open).not.toContain(oldest)
  expect(open).toEqual(expect.arrayContaining([small, busy]))
  // The honest callers get room, and keep it, although the others continue.
  const honest = [await connect('/ip4/127.0.2.1/tcp/1'), await connect('/ip4/127.0.3.1/tcp/1')]
  expect(await accepted(() => '/ip4/127.0.1.3/tcp/1')).toBe(200)
  expect(open).toEqual(expect.arrayContaining([...honest, small, busy]))
})

test('a connection that works, or that the host needs, does not give way', async () => {
  const { open, add, connect } = setUp({ named: ['relay'] })
  const needed = [
    add('/ip4/8.8.1.1/tcp/1', { peer: 'relay' }),
    add('/ip4/8.8.2.1/tcp/1', { direction: 'outbound', tags: ['kad-peer'] }),
    add('/ip4/8.8.3.1/tcp/1', { tags: ['circuit-relay-source'] }),
    add('/ip4/8.8.4.1/tcp/1', { streams: [GENERATE_PROTOCOL] })
  ]
  for (let index = needed.length; index < BOUNDS.connections; index++) add(`/ip4/8.9.${index}.1/tcp/1`)
  for (let index = 0; index < 100; index++) {
    expect(await connect(`/ip4/9.${index}.1.1/tcp/1`, { streams: [GENERATE_PROTOCOL] })).toEqual(
      index < BOUNDS.connections - needed.length ? expect.anything() : undefined
    )
  }
  expect(open).toEqual(expect.arrayContaining(needed))
})

test('the host makes room for its own connections too', async () => {
  const { host, limit, open, add } = setUp()
  for (let index = 0; index < BOUNDS.connections; index++) add('/ip4/192.168.1.7/tcp/1')
  await limit.opened(host, add('/ip4/8.8.2.1/tcp/1', { direction: 'outbound' }))
  expect(open).toHaveLength(BOUNDS.connections)
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

test('beyond the limit, the oldest handshake of the address with the most ends, also in a LAN', () => {
  const { host, limit } = setUp()
  const honest = new Incoming('/ip4/192.168.1.7/tcp/5001')
  const silent = Array.from({ length: 100 }, () => new Incoming('/ip4/192.168.1.66/tcp/5001'))
  for (const one of [honest, ...silent]) expect(limit.refuses(host, one)).toBe(false)
  expect(honest.isAborted).toBe(false)
  expect(silent.map(({ isAborted }) => isAborted)).toEqual(silent.map((_, index) => index < 100 - 63))
})

test('a host has a rate of new connections, which others do not share', () => {
  const { host, limit, clock } = setUp()
  const dial = (address: string): boolean => {
    const incoming = new Incoming(address)
    const refused = limit.refuses(host, incoming)
    incoming.abort()
    return !refused
  }
  const accepted = Array.from({ length: 300 }, () => dial('/ip4/192.168.1.66/tcp/5001')).filter(Boolean)
  expect(accepted).toHaveLength(250)
  expect(dial('/ip4/192.168.1.7/tcp/5001')).toBe(true)
  clock.now = 1_000
  const later = Array.from({ length: 20 }, () => dial('/ip4/192.168.1.66/tcp/5001')).filter(Boolean)
  expect(later).toHaveLength(8)
})
