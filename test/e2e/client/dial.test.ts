/** Dials one peer at direct and relayed addresses. Some of the addresses do not work. */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { expect, onTestFinished, test } from 'vitest'
import { dial } from '../../../client/network/dial.ts'
import type { PotluckNode } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { caller, event, LOOPBACK, node, relay } from '../node/harness.ts'

const NEVER_MS = 60_000

/** Starts a node with direct and relayed addresses. */
async function reachable(): Promise<{ serving: PotluckNode; direct: Multiaddr[]; relayed: Multiaddr[] }> {
  const [address = ''] = (await relay()).addresses()
  const serving = await node(new ScriptedEngine(), {
    listen: [LOOPBACK, `${address}/p2p-circuit`],
    bootstrap: [address]
  })
  await event(serving, 'advertised')
  const addresses = serving.addresses().map((own) => multiaddr(own))
  const isRelayed = (own: Multiaddr): boolean => own.toString().includes('/p2p-circuit')
  return {
    serving,
    direct: addresses.filter((own) => !isRelayed(own)),
    relayed: addresses.filter((own) => isRelayed(own))
  }
}

/** An address that accepts all bytes and never answers. */
async function swallowing(): Promise<{ address: Multiaddr; first: Promise<Socket> }> {
  const server = createServer((socket) => socket.on('error', () => undefined).resume())
  const first = once(server, 'connection').then(([socket]) => socket as Socket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { address: multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`), first }
}

const signal = AbortSignal.timeout(NEVER_MS)

test('a direct address that never answers does not delay the relayed dial', async () => {
  const { serving, relayed } = await reachable()
  const { address, first } = await swallowing()
  const libp2p = await caller([circuitRelayTransport()])
  const connection = await dial(libp2p, { peerId: serving.peerId, addresses: [address, ...relayed] }, signal, 1)
  expect(connection.direct).toBe(false)
  expect((await first).closed).toBe(false)
  ;(await first).destroy()
})

test('if a direct address answers in time, no relayed address is dialled', async () => {
  const { serving, direct, relayed } = await reachable()
  const libp2p = await caller([circuitRelayTransport()])
  const node = { peerId: serving.peerId, addresses: [...relayed, ...direct] }
  expect((await dial(libp2p, node, signal, NEVER_MS)).direct).toBe(true)
  expect(libp2p.getConnections().map(({ remotePeer }) => remotePeer.toString())).toEqual([serving.peerId.toString()])
})

test('if a direct address refuses, the relayed address is dialled at once', async () => {
  const { serving, relayed } = await reachable()
  const libp2p = await caller([circuitRelayTransport()])
  const node = { peerId: serving.peerId, addresses: [multiaddr('/ip4/127.0.0.1/tcp/1'), ...relayed] }
  expect((await dial(libp2p, node, signal, NEVER_MS)).direct).toBe(false)
})

test('if another peer answers at an address, the connection is not used', async () => {
  const { serving, direct, relayed } = await reachable()
  const other = await node(new ScriptedEngine())
  const [wrong = ''] = other.addresses()
  const addresses = [multiaddr(wrong.replace(/\/p2p\/.*/, '')), ...direct, ...relayed]
  const libp2p = await caller([circuitRelayTransport()])
  const { remotePeer, direct: isDirect } = await dial(libp2p, { peerId: serving.peerId, addresses }, signal, NEVER_MS)
  expect([remotePeer.toString(), isDirect]).toEqual([serving.peerId.toString(), true])
})

test('if no address works, the error contains all failures', async () => {
  const { serving, relayed } = await reachable()
  await serving.stop()
  const libp2p = await caller([circuitRelayTransport()])
  const node = { peerId: serving.peerId, addresses: [multiaddr('/ip4/127.0.0.1/tcp/1'), ...relayed] }
  await expect(dial(libp2p, node, signal)).rejects.toThrow(AggregateError)
})
