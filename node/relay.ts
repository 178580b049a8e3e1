/** A relay: a bootstrap peer of the DHT, which also carries connections for nodes behind NAT. */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import type { Scope } from '@potluck/protocol'
import type { Logger } from 'pino'

import { AGENT } from './agent.ts'
import { RELAY_CONNECTIONS, RELAY_STREAMS } from './limits/limits.ts'
import { keepBootstrapped } from './network/bootstrap.ts'
import { openIdentity } from './network/identity.ts'
import { dialDiscovered } from './network/lan.ts'
import { createRelayHost } from './network/libp2p.ts'

export interface RelayOptions {
  /**
   * The directory for the identity and the DHT records. Default: the relay keeps them in memory, with a new identity.
   */
  dataDirectory?: string
  /** Default: the key in the data directory. */
  privateKey?: PrivateKey
  /** Multiaddrs to listen on. */
  listen: readonly string[]
  /**
   * Multiaddrs at which peers reach the relay. With scope `local` the relay advertises only these. With scope `public`
   * it also advertises the addresses that it listens on.
   */
  announce?: readonly string[]
  /** Multiaddrs of other relays. Default: none, as for the first peer of a network. */
  bootstrap?: readonly string[]
  /** `local`: loopback, a LAN or a testnet. */
  scope: Scope
  /** Finds peers on the LAN, and lets them find this relay. Default false. */
  mdns?: boolean
  logger: Logger
}

export interface Relay {
  readonly peerId: PeerId
  /** Multiaddrs with the peer id, for the `bootstrap` option of other peers. */
  addresses: () => string[]
  stop: () => Promise<void>
}

/**
 * Starts a relay: a DHT server and a circuit relay. It serves no model.
 *
 * @throws Error in one line, if the data directory is in use or the relay cannot listen on an address
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { listen, announce = [], bootstrap = [], scope, mdns = false, logger } = options
  const identity = await openIdentity(options)
  const stopping = new AbortController()
  try {
    const bounds = { connections: RELAY_CONNECTIONS, streams: RELAY_STREAMS }
    const host = await createRelayHost({ identity, listen, announce, scope, mdns, ...bounds, agent: AGENT })
    if (mdns) dialDiscovered(host, { logger, signal: stopping.signal })
    const bootstrapping = keepBootstrapped(host, { addresses: bootstrap, logger, signal: stopping.signal })
    return {
      peerId: host.peerId,
      addresses: () => host.getMultiaddrs().map(String),
      stop: async () => {
        stopping.abort()
        await bootstrapping
        await host.stop()
        await identity.close()
      }
    }
  } catch (error) {
    await identity.close()
    throw error
  }
}
