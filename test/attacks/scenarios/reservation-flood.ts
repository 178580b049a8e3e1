import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { Libp2p } from '@libp2p/interface'
import { tcp, type TCPSocketOptions } from '@libp2p/tcp'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

import { RELAY_RESERVATIONS } from '../../../node/limits/limits.ts'
import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { AttackedNetwork } from '../network.ts'

const RELAY = '5.9.0.1'
const ATTACKER = '5.66.0.1'

export const attack: Attack = {
  title: 'reserves every place of a relay with keys of one address, and leaves',
  cost: '512 keys, one address, 2 minutes',
  before: '512 keys kept honest nodes out of a relay for two hours after they had left',

  ...onInternet('reservation-flood', async ({ short }, internet) => {
    await using network = new AttackedNetwork()
    const listen = [`/ip4/${internet.host(RELAY)}/tcp/4001`]
    const relay = await network.relay({ listen, scope: 'public' })
    const target = multiaddr(relay.addresses().find((address) => address.includes(RELAY)))
    const reserve = async (address: string): Promise<Libp2p | undefined> => {
      const localAddress = internet.host(address)
      // libp2p passes the options on to `net.connect`, but its type lists only some of them.
      const transports = [tcp({ dialOpts: { localAddress } as TCPSocketOptions }), circuitRelayTransport()]
      const peer = await network.peer({ transports, addresses: { listen: [] } })
      return (await reserves(peer, target)) ? peer : undefined
    }
    const keys = short ? 12 : RELAY_RESERVATIONS + 8
    const attackers: Libp2p[] = []
    for (let key = 0; key < keys; key++) {
      const peer = await reserve(ATTACKER)
      if (peer !== undefined) attackers.push(peer)
      // The others leave, so that the limit of connections does not stop the attacker.
      if (attackers.length > 128) await attackers[attackers.length - 128]?.stop()
    }
    const honest = ['5.9.1.1', '5.9.2.1', '5.9.3.1', '5.9.4.1']
    const reserved = await Promise.all(honest.map(async (address) => (await reserve(address)) !== undefined))
    await Promise.all(attackers.map(async (peer) => await peer.stop()))
    // The relay learns a moment later that they have left.
    let again = await reserve(ATTACKER)
    for (const until = Date.now() + 5_000; again === undefined && Date.now() < until;) again = await reserve(ATTACKER)
    return [
      { metric: 'reservations that the attacker got', value: attackers.length, limit: { atLeast: 1 } },
      { metric: 'reservations of the attacker', value: attackers.length, limit: { atMost: 8 } },
      { metric: 'honest nodes with a reservation', value: reserved.filter(Boolean).length, limit: { atLeast: 4 } },
      {
        metric: 'new reservations from the same address after the attacker left',
        value: again === undefined ? 0 : 1,
        limit: { atLeast: 1 }
      }
    ]
  })
}

async function reserves(peer: Libp2p, relay: Multiaddr): Promise<boolean> {
  const { components } = peer as unknown as {
    components: { transportManager: { listen: (at: Multiaddr[]) => Promise<void> } }
  }
  try {
    await peer.dial(relay)
    await components.transportManager.listen([relay.encapsulate('/p2p-circuit')])
    return true
  } catch {
    return false
  }
}
