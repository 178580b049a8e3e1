/** A relay: a bootstrap peer that introduces peers to each other and carries streams for those behind NAT. */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import type { Scope } from '@potluck/protocol'
import type { Logger } from 'pino'

import { AGENT } from './agent.ts'
import { RELAY_CONNECTIONS, RELAY_STREAMS } from './limits.ts'
import { keepBootstrapped } from './network/bootstrap.ts'
import { openIdentity } from './network/identity.ts'
import { meetDiscovered } from './network/lan.ts'
import { createRelayHost } from './network/libp2p.ts'

export interface RelayOptions {
  /** Identity and DHT records are kept here. Default: in memory, with a new identity. */
  dataDirectory?: string
  /** Default: that of the data directory. */
  privateKey?: PrivateKey
  /** Multiaddrs to listen on. */
  listen: readonly string[]
  /** Multiaddrs at which others reach it; on a LAN in place of those listened on. */
  announce?: readonly string[]
  /** Multiaddrs of other relays. Default: none, the first peer of a network. */
  bootstrap?: readonly string[]
  /** `local`: loopback, a LAN or a testnet. */
  scope: Scope
  /** Finds peers on the LAN, and is found. Default false. */
  mdns?: boolean
  logger: Logger
}

export interface Relay {
  readonly peerId: PeerId
  /** Multiaddrs with the peer id, for others' `bootstrap`. */
  addresses: () => string[]
  stop: () => Promise<void>
}

/**
 * Starts a relay: a DHT server, a circuit relay, and nothing that serves a model.
 *
 * @throws Error in one line, if the data directory is in use or an address cannot be listened on
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { listen, announce = [], bootstrap = [], scope, mdns = false, logger } = options
  const identity = await openIdentity(options)
  const stopping = new AbortController()
  try {
    const bounds = { connections: RELAY_CONNECTIONS, streams: RELAY_STREAMS }
    const host = await createRelayHost({ identity, listen, announce, scope, mdns, ...bounds, agent: AGENT })
    if (mdns) meetDiscovered(host, { logger, signal: stopping.signal })
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
