/** A relay: a bootstrap peer of the DHT, which also carries connections for nodes behind NAT. */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { ClockComparison, clockWarning, type Scope } from '@potluck/protocol'
import type { Logger } from 'pino'

import { AGENT } from './agent.ts'
import { Gossip } from './gossip/gossip.ts'
import { Lifetime } from './lifetime.ts'
import { RELAY_CONNECTIONS, RELAY_STREAMS } from './limits/limits.ts'
import { keepBootstrapped } from './network/bootstrap.ts'
import { openIdentity } from './data/identity.ts'
import { dialDiscovered } from './network/lan.ts'
import { createRelayHost } from './network/libp2p.ts'
import { serveCards } from './serve/card.ts'

export interface RelayOptions {
  /**
   * The directory for the identity, the DHT records and the saved peers. Default: the relay keeps them in memory, with
   * a new identity.
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
  /** The text of a swarm key file: only peers with the same key can connect. Default: the public network. */
  swarmKey?: string
  /** Finds peers on the LAN, and lets them find this relay. Default false. */
  mdns?: boolean
  logger: Logger
  /** Milliseconds since the epoch. Default: the system clock. */
  now?: () => number
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
  const { listen, announce = [], bootstrap = [], scope, swarmKey, mdns = false, logger, now } = options
  const lifetime = new Lifetime()
  try {
    const identity = await openIdentity({
      ...options,
      onDiskError: (error) => {
        if (error !== undefined) logger.warn(`${error}; the relay continues without saving`)
      },
      onDamage: (message) => logger.warn(message)
    })
    lifetime.onStop(identity.close)
    const bounds = { connections: RELAY_CONNECTIONS, streams: RELAY_STREAMS }
    const host = await createRelayHost({
      identity,
      listen,
      announce,
      bootstrap,
      scope,
      swarmKey,
      mdns,
      ...bounds,
      agent: AGENT,
      now
    })
    lifetime.onStop(async () => await host.stop())
    const hasBootstrap = bootstrap.length > 0 || mdns
    const { datastore } = identity
    const gossip = await Gossip.start({
      host,
      datastore,
      role: 'relay',
      wantsRelays: false,
      hasBootstrap,
      logger,
      now: now ?? Date.now,
      clocks: new ClockComparison({
        now: now ?? Date.now,
        monotonic: () => performance.now(),
        onChange: (skew) => {
          if (skew !== undefined) logger.warn(clockWarning(skew))
        }
      })
    })
    lifetime.onStop(async () => await gossip.stop())
    const others = (peer: string): Uint8Array[] => gossip.others(peer)
    const clock = (): number => performance.now()
    const track = async (stream: Promise<void>): Promise<void> => await lifetime.track(stream)
    const streams = { maxInboundStreams: RELAY_STREAMS, track }
    await serveCards(host, { others, logger, clock, stopping: lifetime.stopping }, streams)
    const joining = { addresses: bootstrap, logger, signal: lifetime.stopping }
    if (mdns) dialDiscovered(host, joining)
    const bootstrapping = keepBootstrapped(host, joining)
    lifetime.onStop(async () => await bootstrapping)
    return {
      peerId: host.peerId,
      addresses: () => host.getMultiaddrs().map(String),
      stop: async () => await lifetime.stop()
    }
  } catch (error) {
    await lifetime.stop()
    throw error
  }
}
