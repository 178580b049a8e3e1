/** What the attackers of a siege do over and over. Each call is one round. */
import { setTimeout as sleep } from 'node:timers/promises'

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { Connection, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, CARD_PROTOCOL, GENERATE_PROTOCOL, KAD_PROTOCOL, textCid } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import type { Internet } from '../internet.ts'
import { framed, KAD, kadFrame, publish } from '../kad.ts'
import { attackingPeer } from '../network.ts'

export interface SiegeTarget {
  /** Addresses with `/p2p/…`. */
  relay: readonly string[]
  /** The addresses of each node. */
  nodes: readonly (readonly string[])[]
  /** The name of the model that the nodes serve. */
  model: string
}

export interface Siege {
  target: SiegeTarget
  internet: Internet
}

/**
 * What the attacker's process sends: first the addresses of its nodes, then the name of each assault that succeeded.
 */
export type FromAttacker = { malicious: string[] } | { round: string }

/** @param round counts from 0 */
export type Assault = (siege: Siege, round: number) => Promise<void>

const engine = new ScriptedEngine()
/** How long the attackers hold what they took. */
const HOLD_MS = 6_000
const LONGEST_HOLD_MS: number = 3 * HOLD_MS
export const PAUSE_MS = 500

export const ASSAULTS: Record<string, Assault> = {
  /** Holds slots with one token of credit a second. */
  trickle: async (siege, round) => {
    const peer = await peerFrom(siege, '5.66.0.1')
    const connection = await dial(peer, siege.target.nodes[round % siege.target.nodes.length]!)
    const call = await Call.open(connection, request(engine, { maxTokens: 400, credit: 1 }))
    for (let token = 0; token < HOLD_MS / PAUSE_MS; token++) {
      await sleep(PAUSE_MS)
      await call.credit(1)
    }
    await peer.stop()
  },
  /** Fills the queues from one address with many keys. */
  queue: async (siege, round) => {
    const node = siege.target.nodes[round % siege.target.nodes.length]!
    for (let key = 0; key < 10; key++) {
      const peer = await peerFrom(siege, '5.66.1.1')
      setTimeout(() => void peer.stop(), HOLD_MS)
      // The node accepts only some of the connections.
      const connection = await dial(peer, node).catch(() => undefined)
      if (connection !== undefined)
        await Call.open(connection, request(engine, { maxTokens: 400 })).catch(() => undefined)
    }
    await sleep(5 * PAUSE_MS)
  },
  /** Opens connections with new keys, and leaves them idle. */
  idle: async (siege, round) => {
    const targets = [siege.target.relay, ...siege.target.nodes]
    const peer = await peerFrom(siege, '5.66.2.1')
    await dial(peer, targets[round % targets.length]!)
    await sleep(PAUSE_MS / 2)
  },
  /** Sends the beginning of long messages. */
  halves: async (siege, round) => {
    const targets = [siege.target.relay, ...siege.target.nodes]
    const peer = await peerFrom(siege, '5.66.3.1')
    const connection = await dial(peer, targets[round % targets.length]!)
    for (const protocol of [KAD_PROTOCOL, CARD_PROTOCOL, GENERATE_PROTOCOL]) {
      for (let stream = 0; stream < 8; stream++) await sendHalf(connection, protocol).catch(() => undefined)
    }
    await sleep(10 * PAUSE_MS)
    await peer.stop()
  },
  /** Publishes records under ever new keys, and sends messages with thousands of addresses. */
  records: async (siege, round) => {
    const peer = await peerFrom(siege, '5.66.4.1')
    const connection = await dial(peer, siege.target.relay)
    const provider = { peerId: peer.peerId, addresses: [multiaddr('/ip4/5.66.4.1/tcp/4001')] }
    const keys = Array.from({ length: 500 }, (_, index) => textCid(`siege ${round} ${index}`))
    await publish(
      connection,
      keys.map((key) => ({ key, provider }))
    )
    const stream = await connection.newStream(KAD_PROTOCOL)
    const many = Array.from({ length: 20_000 }, (_, index) => multiaddr(`/tcp/${(index % 60_000) + 1}`).bytes)
    const id = peer.peerId.toMultihash().bytes
    stream.send(
      kadFrame({ type: KAD.ADD_PROVIDER, key: anyNodeCid().multihash.bytes, providers: [{ id, multiaddrs: many }] })
    )
    await sleep(2 * PAUSE_MS)
    await peer.stop()
  },
  /** Reserves places at the relay with new keys. */
  reservations: async (siege) => {
    const localAddress = siege.internet.from('5.66.5.1')
    const peer = await attackingPeer({
      transports: [...localAddress, circuitRelayTransport()],
      addresses: { listen: [`${siege.target.relay[0]}/p2p-circuit`] }
    })
    await sleep(PAUSE_MS)
    setTimeout(() => void peer.stop(), HOLD_MS)
  },
  /** Sends random bytes on every protocol. */
  garbage: async (siege, round) => {
    const targets = [siege.target.relay, ...siege.target.nodes]
    const peer = await peerFrom(siege, '5.66.0.2')
    const connection = await dial(peer, targets[round % targets.length]!)
    for (const protocol of [KAD_PROTOCOL, CARD_PROTOCOL, GENERATE_PROTOCOL]) {
      const stream = await connection.newStream(protocol).catch(() => undefined)
      stream?.send(framed(crypto.getRandomValues(new Uint8Array(2_000))))
    }
    await sleep(PAUSE_MS)
    await peer.stop()
  }
}

/** The peer stops by itself, also if its assault fails. */
async function peerFrom({ internet }: Siege, address: string): Promise<Libp2p> {
  const peer = await attackingPeer({ transports: internet.from(address), addresses: { listen: [] } })
  setTimeout(() => void peer.stop(), LONGEST_HOLD_MS)
  return peer
}

async function dial(peer: Libp2p, [address]: readonly string[]): Promise<Connection> {
  return await peer.dial(multiaddr(address))
}

/** Sends 64 KiB of a message that claims to be longer. */
async function sendHalf(connection: Connection, protocol: string): Promise<void> {
  const stream = await connection.newStream(protocol, { maxOutboundStreams: 100 })
  stream.send(framed(new Uint8Array(128 * 1024)).subarray(0, 64 * 1024))
}
