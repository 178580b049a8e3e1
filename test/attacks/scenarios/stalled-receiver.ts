import { circuitRelayTransport, RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { setTimeout as sleep } from 'node:timers/promises'

import { startFleet } from '../../../scripts/testnet/fleet.ts'
import type { Attack } from '../attack.ts'
import { framed } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

const MIB = 2 ** 20

export const attack: Attack = {
  title: 'sends through a relay to a peer that does not read, so that the relay keeps the bytes',
  cost: '2 keys, 2 connections, 1 GB',
  before: 'the relay kept all that the sender sent, up to 1 GiB for each relayed connection',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const fleet = await startFleet({ nodes: [], signal })
    try {
      const target = multiaddr(fleet.relay.addresses[0])
      const transports = [tcp(), circuitRelayTransport()]
      const receiver = await network.peer({
        transports,
        addresses: { listen: [target.encapsulate('/p2p-circuit').toString()] }
      })
      // The receiver accepts the connection, and reads nothing of it.
      await receiver.unhandle('/libp2p/circuit/relay/0.2.0/stop')
      await receiver.handle('/libp2p/circuit/relay/0.2.0/stop', async (stream) => {
        stream.send(framed(new BinaryWriter().tag(1, 0).uint32(1).tag(4, 0).uint32(100).finish()))
        stream.addEventListener('message', () => stream.pause(), { once: true })
      })
      const sender = await network.peer()
      const connection = await sender.dial(target)
      const before = await fleet.relay.usage()
      const stream = await connection.newStream(RELAY_V2_HOP_CODEC)
      const peer = new BinaryWriter().tag(1, 2).bytes(receiver.peerId.toMultihash().bytes).finish()
      const replied = new Promise<void>((resolve) =>
        stream.addEventListener('message', () => resolve(), { once: true })
      )
      stream.send(framed(new BinaryWriter().tag(1, 0).uint32(1).tag(2, 2).bytes(peer).finish()))
      await replied
      const taken = await sendUntilStalled(stream, (short ? 64 : 512) * MIB)
      const { rssBytes } = await fleet.relay.usage()
      note(
        `the relay took ${(taken / MIB).toFixed(1)} MiB, and has ${((rssBytes - before.rssBytes) / MIB).toFixed(0)} MiB more`
      )
      return [
        { metric: 'bytes that the relay passed or kept, MiB', value: taken / MIB, limit: { atLeast: 0.25 } },
        {
          metric: 'bytes that the relay took for a receiver that does not read, MiB',
          value: taken / MIB,
          limit: { atMost: 4 }
        }
      ]
    } finally {
      await fleet.stop()
    }
  }
}

/** Returns the bytes that left this side: all, or those before the relay stopped reading for two seconds. */
async function sendUntilStalled(stream: Stream, bytes: number): Promise<number> {
  const chunk = new Uint8Array(MIB / 4)
  let taken = 0
  while (taken < bytes) {
    const drained = new Promise<boolean>((resolve) =>
      stream.addEventListener('idle', () => resolve(true), { once: true })
    )
    stream.send(chunk)
    const passed = stream.writeBufferLength === 0 || (await Promise.race([drained, sleep(2_000, false)]))
    if (!passed) return taken
    taken += chunk.byteLength
  }
  return taken
}
