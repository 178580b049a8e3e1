/** The network through libp2p. */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import {
  abortSilent,
  askKad,
  CARD_PROTOCOL,
  cardKey,
  proofKey,
  decodeCardReply,
  MAX_CARD_REPLY_BYTES,
  type KadPeer,
  type KadReply,
  KAD_PEER_TAG
} from '@potluck/protocol'
import { pushable } from 'it-pushable'
import type { CID } from 'multiformats/cid'

import { CARD_TIMEOUT_MS, LAN_GRACE_MS, LAN_WAIT_MS, MAX_START_SERVERS } from '../base/constants.ts'
import { dial } from './dial.ts'
import { askOnce } from './exchange.ts'
import type { LanPeers } from './lan-peers.ts'
import type { CardAnswer, Dialable, Entry, Network } from './network.ts'
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
  readonly entrances: Network['entrances']
  readonly #libp2p: Libp2p
  readonly #bootstrap: readonly Multiaddr[]
  readonly #lan: LanPeers | undefined

  constructor({ libp2p, bootstrap, lan, stop }: Libp2pNetworkInit) {
    this.#libp2p = libp2p
    this.#bootstrap = bootstrap
    this.#lan = lan
    this.entrances = { bootstrap: bootstrap.length > 0, lan: lan !== undefined }
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

  async *entries(signal: AbortSignal): AsyncGenerator<Entry> {
    const entries = pushable<Entry>({ objectMode: true })
    const left = new AbortController()
    const until = AbortSignal.any([signal, left.signal])
    until.addEventListener('abort', () => entries.end(), { once: true })
    void this.#dialEntries((entry) => entries.push(entry), until).then(() => entries.end())
    try {
      yield* entries
    } finally {
      left.abort(new Error('enough was found'))
    }
  }

  async servers(): Promise<KadPeer[]> {
    const peers = await this.#libp2p.peerStore.all({
      filters: [({ tags }) => tags.has(KAD_PEER_TAG)],
      limit: MAX_START_SERVERS
    })
    return peers.map(({ id, addresses }) => ({ peerId: id, addresses: addresses.map(({ multiaddr }) => multiaddr) }))
  }

  async askKad(server: KadPeer, key: CID, signal: AbortSignal): Promise<KadReply> {
    return await askKad(this.#libp2p, server, { request: 'get_providers', key }, signal)
  }

  async askCard(peer: Dialable, signal: AbortSignal): Promise<CardAnswer> {
    const { reply, elapsedMs, connection } = await askOnce(peer, {
      network: this,
      protocol: CARD_PROTOCOL,
      maxFrameBytes: MAX_CARD_REPLY_BYTES,
      dialMs: CARD_TIMEOUT_MS,
      replyMs: CARD_TIMEOUT_MS,
      timeoutCode: 'admission_timeout',
      decode: decodeCardReply,
      signal
    })
    // A connection that the peer opened has the peer's outgoing port, which nobody can dial.
    const address = connection.direction === 'outbound' ? connection.remoteAddr : undefined
    return { reply, roundTripMs: elapsedMs, relayed: !connection.direct, address }
  }

  async cardRecord(peerId: PeerId, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#libp2p.contentRouting.get(cardKey(peerId), { signal })
  }

  async proofRecord(accused: PeerId, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#libp2p.contentRouting.get(proofKey(accused), { signal })
  }

  async putProof(accused: PeerId, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#libp2p.contentRouting.put(proofKey(accused), bytes, { signal })
  }

  /** Dials all bootstrap addresses, and the peers on the local network. Never rejects. */
  async #dialEntries(onEntry: (entry: Entry) => void, signal: AbortSignal): Promise<void> {
    let onLan = 0
    const lanFound = Promise.withResolvers<void>()
    const report = async (to: Pick<Entry, 'address' | 'via'>, connected: Promise<Connection>): Promise<boolean> => {
      try {
        const { remotePeer } = await connected
        onEntry({ ...to, peerId: remotePeer })
        return true
      } catch (error) {
        onEntry({ ...to, error })
        return false
      }
    }
    this.#lan?.follow(({ id, multiaddrs }) => {
      const to = { address: String(multiaddrs[0] ?? id), via: 'lan' } as const
      void report(to, this.connect({ peerId: id, addresses: multiaddrs }, signal)).then((joined) => {
        if (joined) onLan++
        if (joined) lanFound.resolve()
      })
    }, signal)
    const dials = await Promise.all(
      this.#bootstrap.map(
        async (address) =>
          await report({ address: address.toString(), via: 'bootstrap' }, this.#libp2p.dial(address, { signal }))
      )
    )
    if (dials.includes(true) || this.#lan === undefined) return
    if (onLan === 0) await settled(lanFound.promise, LAN_WAIT_MS, signal)
    // The other nodes of the network answer mDNS at about the same time.
    await settled(new Promise(() => undefined), LAN_GRACE_MS, signal)
  }
}

/** Resolves with the promise, after this time, or when the signal fires. */
async function settled(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  signal.addEventListener('abort', () => late.resolve(), { once: true })
  if (signal.aborted) late.resolve()
  await Promise.race([promise, late.promise])
  clearTimeout(timer)
}
