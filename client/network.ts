/**
 * The client's side of libp2p: joins the DHT through bootstrap peers or peers on the LAN, finds
 * providers and cards' records there, and opens connections.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Connection, ConnectionGater, Libp2p, PeerId, PeerInfo, PeerUpdate } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { isPrivate } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { cardKey, kadOptions, PotluckError, STREAM_WINDOW_BYTES, type Scope } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'

import { ADDRESS_DIAL_TIMEOUT_MS, KAD_PEER_TAG, MAX_LAN_PEERS } from './constants.ts'
import type { Platform } from './platform/platform.ts'

/** Who to dial. No addresses: those that libp2p knows of. */
export interface Dialable {
  peerId: PeerId
  addresses: readonly Multiaddr[]
}

/** What discovery and attempts need of the network. */
export interface Network {
  /**
   * An open connection to the peer, or a new one.
   *
   * @throws whatever libp2p's dial throws
   */
  connect: (peer: Dialable, signal: AbortSignal) => Promise<Connection>
  /**
   * Walks the DHT for providers, each given as it is found, perhaps more than once.
   *
   * @throws PotluckError `no_providers` if the network could not be joined at all
   */
  providers: (cid: CID, signal: AbortSignal) => AsyncIterable<Dialable>
  /** The bytes of the peer's card on the DHT: not verified, perhaps old. */
  cardRecord: (peerId: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  stop: () => Promise<void>
}

export interface NetworkOptions {
  bootstrap: readonly string[]
  mdns: boolean
  scope: Scope | undefined
}

/** Over a libp2p of the caller's, which stays the caller's to stop; it has to run the network's DHT. */
export function borrowNetwork(libp2p: Libp2p, bootstrap: readonly Multiaddr[] = []): Network {
  return new Libp2pNetwork(libp2p, bootstrap, { lan: false, owned: false })
}

/**
 * Starts a libp2p that only asks: it listens nowhere and stores nothing for others.
 *
 * @throws PotluckError `invalid_request` for a bootstrap address that is none, or with no way to find anybody
 */
export async function createNetwork(options: NetworkOptions, platform: Platform): Promise<Network> {
  const bootstrap = options.bootstrap.map(parseAddress)
  const lanDiscovery = options.mdns ? platform.lanDiscovery : undefined
  if (bootstrap.length === 0 && lanDiscovery === undefined) {
    throw new PotluckError('invalid_request', 'no way to find nodes: give a bootstrap address or allow mDNS')
  }
  const scope = options.scope ?? (bootstrap.every(isPrivate) ? 'local' : 'public')
  const lanPeers: ((peer: PeerInfo) => void)[] = []
  const libp2p = await createLibp2p({
    addresses: { listen: [] },
    transports: platform.transports,
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })],
    connectionGater: gater(scope, bootstrap),
    connectionManager: { addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS },
    peerDiscovery:
      lanDiscovery === undefined
        ? []
        : [
            (components) => {
              const discovery = lanDiscovery(components)
              discovery.addEventListener('peer', ({ detail }) => {
                for (const listener of lanPeers) listener(detail)
              })
              return discovery
            }
          ],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        ...kadOptions({ scope, clientMode: true }),
        // Else every first query waits a second, and then for a walk to our own id, which nobody looks for.
        allowQueryWithZeroPeers: true
      })
    }
  })
  const network = new Libp2pNetwork(libp2p, bootstrap, { lan: lanDiscovery !== undefined, owned: true })
  lanPeers.push((peer) => network.dialLanPeer(peer))
  return network
}

class Libp2pNetwork implements Network {
  readonly #libp2p: Libp2p
  readonly #bootstrap: readonly Multiaddr[]
  readonly #lan: boolean
  readonly #owned: boolean
  readonly #lanPeers = new Set<string>()

  constructor(libp2p: Libp2p, bootstrap: readonly Multiaddr[], { lan, owned }: { lan: boolean; owned: boolean }) {
    this.#libp2p = libp2p
    this.#bootstrap = bootstrap
    this.#lan = lan
    this.#owned = owned
  }

  async connect({ peerId, addresses }: Dialable, signal: AbortSignal): Promise<Connection> {
    // libp2p's own search skips relayed connections, and would dial a home's private addresses at every request.
    const open = this.#libp2p.getConnections(peerId).filter(({ status }) => status === 'open')
    const existing = open.find(({ direct }) => direct) ?? open[0]
    if (existing !== undefined) return existing
    const suffix = `/p2p/${peerId.toString()}`
    const targets = addresses.map((address) =>
      address.toString().endsWith(suffix) ? address : address.encapsulate(suffix)
    )
    return await this.#libp2p.dial(targets.length > 0 ? targets : peerId, { signal })
  }

  async *providers(cid: CID, signal: AbortSignal): AsyncGenerator<Dialable> {
    await this.#join(signal)
    for await (const { id, multiaddrs } of this.#libp2p.contentRouting.findProviders(cid, { signal })) {
      if (!id.equals(this.#libp2p.peerId)) yield { peerId: id, addresses: multiaddrs }
    }
  }

  async cardRecord(peerId: PeerId, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#libp2p.contentRouting.get(cardKey(peerId), { signal })
  }

  async stop(): Promise<void> {
    if (this.#owned) await this.#libp2p.stop()
  }

  /** A peer that mDNS told of: it may lead to the network. Failures only mean that it does not. */
  dialLanPeer({ id, multiaddrs }: PeerInfo): void {
    const name = id.toString()
    if (this.#lanPeers.has(name) || this.#lanPeers.size >= MAX_LAN_PEERS) return
    this.#lanPeers.add(name)
    this.connect({ peerId: id, addresses: multiaddrs }, AbortSignal.timeout(ADDRESS_DIAL_TIMEOUT_MS * 2)).catch(() =>
      this.#lanPeers.delete(name)
    )
  }

  /** Resolves when some peer stands in the DHT's routing table, dialling the bootstrap peers if none does. */
  async #join(signal: AbortSignal): Promise<void> {
    const isDhtPeer = (peer: PeerUpdate['peer']): boolean => peer.tags.has(KAD_PEER_TAG)
    const known = await this.#libp2p.peerStore.all({ filters: [isDhtPeer], limit: 1 })
    if (known.length > 0) return
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: PotluckError): void => {
        this.#libp2p.removeEventListener('peer:update', onUpdate)
        signal.removeEventListener('abort', onAbort)
        if (error === undefined) resolve()
        else reject(error)
      }
      const onUpdate = ({ detail }: CustomEvent<PeerUpdate>): void => {
        if (isDhtPeer(detail.peer)) settle()
      }
      const onAbort = (): void =>
        settle(new PotluckError('no_providers', this.#nobodyThere(), { cause: signal.reason }))
      this.#libp2p.addEventListener('peer:update', onUpdate)
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      void Promise.allSettled(this.#bootstrap.map((address) => this.#libp2p.dial(address, { signal }))).then(
        (dials) => {
          const failed = dials.every(({ status }) => status === 'rejected')
          if (failed && !this.#lan) settle(new PotluckError('no_providers', this.#nobodyThere(), { cause: dials[0] }))
        }
      )
    })
  }

  #nobodyThere(): string {
    const tried = [
      ...(this.#bootstrap.length > 0
        ? [`none of ${this.#bootstrap.length} bootstrap address(es) led to the network`]
        : []),
      ...(this.#lan ? ['no node was found on the local network'] : [])
    ]
    return `${tried.join(' and ') || 'this libp2p knows no peer of the network'}; check the address and that its peer runs`
  }
}

function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new PotluckError('invalid_request', `"${text}" is no multiaddr; expected /ip4/…/tcp/…/p2p/…`, { cause })
  }
}

/** On the public network, records of strangers must not make us dial into our own LAN. */
function gater(scope: Scope, bootstrap: readonly Multiaddr[]): ConnectionGater {
  const trusted = new Set(bootstrap.map(String))
  return {
    denyDialMultiaddr: (address) => scope === 'public' && isPrivate(address) && !trusted.has(address.toString())
  }
}
