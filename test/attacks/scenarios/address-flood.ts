import { setTimeout as sleep } from 'node:timers/promises'

import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, askKad, KAD_PROTOCOL } from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'

import { startFleet } from '../../../scripts/testnet/fleet.ts'
import type { Attack } from '../attack.ts'
import { framed, KAD, kadFrame } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

const KEY = anyNodeCid()
const ID = KEY.multihash.bytes
const IDENTIFY_PUSH = '/ipfs/id/push/1.0.0'

/** Different addresses of 3 bytes. */
function addresses(count: number, first: number = 1): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => multiaddr(`/tcp/${(first + index) % 65_536}`).bytes)
}

/** Each is a protocol, and what the attacker sends on a stream of it. */
const MESSAGES: Record<string, (self: Uint8Array, count: number) => { protocol: string; bytes: Uint8Array }> = {
  'a provider record with many addresses': (id, count) => ({
    protocol: KAD_PROTOCOL,
    bytes: kadFrame({ type: KAD.ADD_PROVIDER, key: ID, providers: [{ id, multiaddrs: addresses(count) }] })
  }),
  'a record of many providers': (_, count) => ({
    protocol: KAD_PROTOCOL,
    bytes: kadFrame({ type: KAD.ADD_PROVIDER, key: ID, providers: Array.from({ length: count }, () => ({ id: ID })) })
  }),
  'a request with many closer peers': (_, count) => ({
    protocol: KAD_PROTOCOL,
    bytes: kadFrame({ type: KAD.FIND_NODE, key: ID, closer: Array.from({ length: count }, () => ({})) })
  }),
  'an identify message with many addresses': () => ({
    protocol: IDENTIFY_PUSH,
    bytes: concat(Array.from({ length: 10 }, (_, at) => framed(identifyMessage(addresses(1_600, 1 + at * 1_600)))))
  }),
  'a request to connect to a peer with many addresses': (id, count) => ({
    protocol: RELAY_V2_HOP_CODEC,
    bytes: framed(connectMessage(id, addresses(count)))
  })
}

export const attack: Attack = {
  title: 'sends messages with thousands of addresses to a relay, so that parsing them blocks it',
  cost: 'one key, one connection, 2 MB',
  before:
    'a provider record with 20,000 addresses blocked the relay for 9 s; after that was fixed, other messages for 4 s',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const fleet = await startFleet({ nodes: [], signal })
    try {
      const target = multiaddr(fleet.relay.addresses[0])
      const [attacker, honest] = [await network.peer(), await network.peer()]
      const server = { peerId: (await honest.dial(target)).remotePeer, addresses: [] }
      const self = attacker.peerId.toMultihash().bytes
      let asked = 0
      let answered = 0
      let longest = 0
      const ask = async (): Promise<void> => {
        asked++
        await askKad(honest, server, { request: 'find_node', key: KEY }, signal).then(
          () => answered++,
          () => undefined
        )
      }
      await ask()
      await fleet.relay.usage()
      for (const [what, message] of Object.entries(MESSAGES)) {
        const { protocol, bytes } = message(self, short ? 20_000 : 100_000)
        // Twice, because libp2p compares new addresses with those that it stored before.
        for (let round = 0; round < 2; round++) {
          const connection = await attacker.dial(target)
          await Promise.all([send(connection, protocol, bytes), ask()])
        }
        const { blockedMs } = await fleet.relay.usage()
        note(`${what}: blocked for ${blockedMs.toFixed(0)} ms`)
        longest = Math.max(longest, blockedMs)
      }
      await Promise.all([negotiate(await attacker.dial(target), short ? 20_000 : 60_000), ask()])
      const { blockedMs } = await fleet.relay.usage()
      note(`many protocols: blocked for ${blockedMs.toFixed(0)} ms`)
      return [
        { metric: 'longest block of the event loop, ms', value: Math.max(longest, blockedMs), limit: { atMost: 50 } },
        { metric: 'honest requests answered, %', value: (100 * answered) / asked, limit: { atLeast: 100 } }
      ]
    } finally {
      await fleet.stop()
    }
  }
}

/** Resolves when the relay has closed or reset the stream, or after 5 s. */
async function send(connection: Connection, protocol: string, bytes: Uint8Array): Promise<void> {
  const stream = await connection.newStream(protocol)
  await sendAll(stream, bytes)
}

async function sendAll(stream: Stream, bytes: Uint8Array): Promise<void> {
  const closed = Promise.withResolvers<void>()
  stream.addEventListener('close', () => closed.resolve())
  stream.addEventListener('remoteCloseWrite', () => closed.resolve())
  stream.addEventListener('message', () => undefined)
  try {
    stream.send(bytes)
    await stream.close()
  } catch {
    // The relay has reset the stream.
    return
  }
  // A relay without bounds does not close a stream while it parses.
  await Promise.race([closed.promise, sleep(5_000, undefined, { ref: false })])
}

/** Asks for many protocols that the relay does not know, on one stream. */
async function negotiate(connection: Connection, protocols: number): Promise<void> {
  const { muxer } = connection as unknown as { muxer: { createStream: () => Promise<Stream> } }
  const text = (line: string): Uint8Array => framed(new TextEncoder().encode(`${line}\n`))
  const lines = Array.from({ length: protocols }, () => text('x'))
  await sendAll(await muxer.createStream(), concat([text('/multistream/1.0.0'), ...lines]))
}

/** The fields of libp2p's identify message: 2 addresses. */
function identifyMessage(listen: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const address of listen) writer.tag(2, 2).bytes(address)
  return writer.finish()
}

/** The fields of a circuit relay's HopMessage: 1 type (1: connect), 2 peer (1 id, 2 addresses). */
function connectMessage(id: Uint8Array, many: readonly Uint8Array[]): Uint8Array {
  const peer = new BinaryWriter().tag(1, 2).bytes(id)
  for (const address of many) peer.tag(2, 2).bytes(address)
  return new BinaryWriter().tag(1, 0).uint32(1).tag(2, 2).bytes(peer.finish()).finish()
}
