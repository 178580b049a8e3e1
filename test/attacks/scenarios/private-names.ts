import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid } from '@potluck/protocol'

import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { publish } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

const RELAY = '5.9.0.1'
/** A device in the LAN of the client, and a service on the client's own machine. */
const DEVICE = '192.168.7.1'
const LOOPBACK = '127.0.0.1'
const PORT = 8080
/** The client must dial this one: otherwise it has not learnt the other addresses either. */
const PUBLIC = '5.88.0.1'

export const attack: Attack = {
  title: 'publishes names and other addresses that lead into the LAN of a client',
  cost: 'one key for each address, a domain',
  before: 'names, secure WebSockets and sockets of the file system passed the gate: 3 connections',

  ...onInternet('private-names', async ({ note }, internet) => {
    await using network = new AttackedNetwork()
    const folder = await mkdtemp(join(tmpdir(), 'potluck-attack-'))
    network.defer(async () => await rm(folder, { recursive: true, force: true }))
    const hosts = join(folder, 'hosts')
    await writeFile(hosts, `${LOOPBACK} localhost\n${DEVICE} device.example\n${LOOPBACK} machine.example\n`)
    // Only in this namespace.
    execFileSync('mount', ['--bind', hosts, '/etc/hosts'])

    let connections = 0
    const socket = join(folder, 'service.sock')
    const serve = async (listen: (server: Server) => void): Promise<void> => {
      const server = createServer((connection) => {
        connections++
        note(`a connection to ${JSON.stringify(server.address())}`)
        connection.destroy()
      })
      listen(server)
      await once(server, 'listening')
      network.defer(async () => void server.close())
    }
    for (const host of [internet.host(DEVICE), LOOPBACK]) await serve((server) => server.listen(PORT, host))
    let control = 0
    const open = createServer((connection) => {
      control++
      connection.destroy()
    })
    open.listen(PORT, internet.host(PUBLIC))
    await once(open, 'listening')
    network.defer(async () => void open.close())
    await serve((server) => server.listen(socket))

    const listen = [`/ip4/${internet.host(RELAY)}/tcp/4001`]
    const relay = await network.relay({ listen, scope: 'public' })
    const bootstrap = relay.addresses().filter((address) => address.includes(RELAY))
    const baits = [
      `/dns4/device.example/tcp/${PORT}`,
      `/dns/machine.example/tcp/${PORT}`,
      `/dns4/machine.example/tcp/${PORT}/ws`,
      `/dns4/machine.example/tcp/${PORT}/wss`,
      `/dns4/device.example/tcp/${PORT}/tls/ws`,
      `/ip4/${LOOPBACK}/tcp/${PORT}`,
      `/ip4/${DEVICE}/tcp/${PORT}/ws`,
      `/ip6/::ffff:7f00:1/tcp/${PORT}`,
      `/unix/${encodeURIComponent(socket)}`
    ]
    const key = anyNodeCid()
    for (const [index, bait] of [...baits, `/ip4/${PUBLIC}/tcp/${PORT}`].entries()) {
      const peer = await network.peer({ transports: internet.from(`5.66.${index}.1`), addresses: { listen: [] } })
      const provider = { peerId: peer.peerId, addresses: [multiaddr(bait)] }
      await publish(await peer.dial(multiaddr(bootstrap[0])), [{ key, provider }])
      await peer.stop()
    }
    const client = await network.client({ bootstrap, scope: 'public' })
    for await (const _ of client.nodes()) throw new Error('no node serves here')
    return [
      { metric: 'control: connections to a public address', value: control, limit: { atLeast: 1 } },
      { metric: `connections into the LAN, by ${baits.length} addresses`, value: connections, limit: { atMost: 0 } }
    ]
  })
}
