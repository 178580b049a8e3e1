/** The network through libp2p. Joins it by bootstrap addresses and the local network, and searches it by the DHT. */
import type { Connection, Libp2p, PeerId, PeerUpdate } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { abortSilent, cardKey, PotluckError } from '@potluck/protocol'
import { pushable } from 'it-pushable'
import type { CID } from 'multiformats/cid'

import { KAD_PEER_TAG, LAN_WAIT_MS } from '../base/constants.ts'
import { raceAbort } from '../base/race-abort.ts'
import { dial } from './dial.ts'
import type { LanPeers } from './lan-peers.ts'
import type { Dialable, Found, Network } from './network.ts'
import { isNearLimit } from './relay-limits.ts'

export interface Libp2pNetworkInit {
  libp2p: Libp2p
  bootstrap: readonly Multiaddr[]
  /** Undefined: the client does not search the local network. */
  lan?: LanPeers
  stop: () => Promise<void>
}

export class Libp2pNetwork implements Network {
  readonly stop: () => Promise<void>
  readonly #libp2p: Libp2p
  readonly #bootstrap: readonly Multiaddr[]
  readonly #lan: LanPeers | undefined

  constructor({ libp2p, bootstrap, lan, stop }: Libp2pNetworkInit) {
    this.#libp2p = libp2p
    this.#bootstrap = bootstrap
    this.#lan = lan
    this.stop = stop
  }

  async connect({ peerId, addresses }: Dialable, signal: AbortSignal): Promise<Connection> {
    // libp2p's own choice ignores an open relayed connection. It would dial the private addresses of a node in a home
    // network again for every request.
    const open = this.#libp2p.getConnections(peerId).filter((one) => one.status === 'open' && !isNearLimit(one))
    const existing = open.find(({ direct }) => direct) ?? open[0]
    if (existing !== undefined) return existing
    return await dial(this.#libp2p, { peerId, addresses }, signal)
  }

  async abortSilent(signal: AbortSignal): Promise<string[]> {
    const working = await abortSilent(this.#libp2p.getConnections(), signal)
    return working.map(({ remotePeer }) => remotePeer.toString())
  }

  async *providers(cid: CID, signal: AbortSignal): AsyncGenerator<Found> {
    const found = pushable<Found>({ objectMode: true })
    const left = new AbortController()
    this.#search(cid, (peer) => found.push(peer), AbortSignal.any([signal, left.signal])).then(
      () => found.end(),
      (error: unknown) => found.end(error instanceof Error ? error : new Error(String(error)))
    )
    try {
      yield* found
    } finally {
      left.abort(new Error('enough was found'))
    }
  }

  async cardRecord(peerId: PeerId, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#libp2p.contentRouting.get(cardKey(peerId), { signal })
  }

  async #search(cid: CID, onFound: (peer: Found) => void, signal: AbortSignal): Promise<void> {
    const inDht = this.#inDht(signal)
    await Promise.race([
      inDht,
      this.#join(onFound, signal).then(async (joined) => {
        if (!joined) throw new PotluckError('no_providers', this.#noEntry())
        await inDht
      })
    ])
    for await (const { id, multiaddrs } of this.#libp2p.contentRouting.findProviders(cid, { signal })) {
      if (!id.equals(this.#libp2p.peerId)) onFound({ peerId: id, addresses: multiaddrs, via: 'dht' })
    }
  }

  /**
   * Connects to the entry peers. Returns false if it reaches none. An entry peer can be a node, perhaps the only one.
   */
  async #join(onFound: (peer: Found) => void, signal: AbortSignal): Promise<boolean> {
    const joinThrough = async (dial: Promise<Connection>): Promise<boolean> => {
      try {
        const { remotePeer } = await dial
        onFound({ peerId: remotePeer, addresses: [], via: 'entry' })
        return true
      } catch {
        return false
      }
    }
    const onLan = Promise.withResolvers<boolean>()
    this.#lan?.follow(({ id, multiaddrs }) => {
      void joinThrough(this.connect({ peerId: id, addresses: multiaddrs }, signal)).then((joined) => {
        if (joined) onLan.resolve(true)
      })
    }, signal)
    const dials = await Promise.all(
      this.#bootstrap.map(async (address) => await joinThrough(this.#libp2p.dial(address, { signal })))
    )
    if (dials.includes(true)) return true
    if (this.#lan === undefined) return false
    const timer = setTimeout(() => onLan.resolve(false), LAN_WAIT_MS)
    try {
      return await raceAbort(onLan.promise, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when a peer is in the DHT's routing table. A query before that would end at once without a result. */
  async #inDht(signal: AbortSignal): Promise<void> {
    const isDhtPeer = ({ tags }: PeerUpdate['peer']): boolean => tags.has(KAD_PEER_TAG)
    const joined = Promise.withResolvers<void>()
    const onUpdate = ({ detail }: CustomEvent<PeerUpdate>): void => {
      if (isDhtPeer(detail.peer)) joined.resolve()
    }
    this.#libp2p.addEventListener('peer:update', onUpdate)
    try {
      const known = await this.#libp2p.peerStore.all({ filters: [isDhtPeer], limit: 1 })
      if (known.length === 0) await raceAbort(joined.promise, signal)
    } finally {
      this.#libp2p.removeEventListener('peer:update', onUpdate)
    }
  }

  #noEntry(): string {
    const tried = [
      ...(this.#bootstrap.length > 0 ? ['no bootstrap address could be reached'] : []),
      ...(this.#lan === undefined ? [] : ['no node was found on the local network'])
    ]
    return tried.join(' and ') || 'this libp2p node knows no peer of the network'
  }
}
