/** Nodes on IPv6, alone and beside IPv4. */
import { once } from 'node:events'
import { createServer } from 'node:net'

import { createClient } from '@potluck/client'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, onTestFinished, test } from 'vitest'

import { dial } from '../../../client/network/dial.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { caller, node } from './harness.ts'

/** A port of ::1 that is free on IPv4 too. Undefined on a machine without IPv6. */
async function freePort(): Promise<number | undefined> {
  const server = createServer()
  try {
    server.listen(0, '::1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' ? address?.port : undefined
  } catch {
    return undefined
  } finally {
    server.close()
  }
}

const port = await freePort()

describe.skipIf(port === undefined)('on a machine with IPv6', () => {
  test('a client that knows only an address of ::1 gets an answer', async () => {
    const serving = await node(new ScriptedEngine({ reply: () => 'over IPv6' }), { listen: ['/ip6/::1/tcp/0'] })
    const [bootstrap = ''] = serving.addresses()
    expect(bootstrap).toMatch(/^\/ip6\/::1\/tcp\/\d+\/p2p\//)
    const client = await createClient({ bootstrap: [bootstrap], mdns: false })
    onTestFinished(async () => await client.stop())
    expect(await client.chat({ messages: [{ role: 'user', content: 'Hello' }] }).text()).toBe('over IPv6')
  })

  test('a node listens on the same port of both families, with TCP and WebSocket', async () => {
    const other = (await freePort()) ?? 0
    const listen = ['/ip4/127.0.0.1', '/ip6/::1'].flatMap((host) => [`${host}/tcp/${port}`, `${host}/tcp/${other}/ws`])
    const serving = await node(new ScriptedEngine(), { listen })
    const suffix = `/p2p/${serving.peerId.toString()}`
    expect(serving.addresses().sort()).toEqual(listen.map((address) => address + suffix).sort())
    expect(serving.card().addresses).toHaveLength(4)
  })

  test('a dial uses IPv4 if the address of IPv6 never answers', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume())
    silent.listen(0, '::1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const address = silent.address()
    const serving = await node(new ScriptedEngine())
    const addresses = [`/ip6/::1/tcp/${typeof address === 'object' ? address?.port : 0}`, ...serving.addresses()]
    const libp2p = await caller()
    const signal = AbortSignal.timeout(60_000)
    const connection = await dial(
      libp2p,
      { peerId: serving.peerId, addresses: addresses.map((one) => multiaddr(one)) },
      signal
    )
    expect(connection.remoteAddr.toString()).toContain('/ip4/127.0.0.1/')
  })
})
