/**
 * Peers that answered this client, kept for its next start. With them it joins the network without a bootstrap address.
 * A peer is saved only after it has answered, so nobody can fill the book with invented peers.
 */
import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { isRelayedSubnet, sample, subnetOf, type KadPeer } from '@potluck/protocol'

import {
  MAX_SAVED_ADDRESSES,
  MAX_SAVED_FAILURES,
  MAX_SAVED_PEERS,
  MAX_SAVED_PER_RELAY,
  MAX_SAVED_PER_SUBNET,
  SAVE_AGAIN_MS,
  SAVED_PEER_MS,
  STORE_RETRY_MS
} from '../base/constants.ts'
import type { PeerStore, SavedPeer } from './peer-store.ts'

export interface PeerBookOptions {
  store: PeerStore
  onStoreError: (error: Error) => void
  /** Milliseconds since the epoch. */
  now: () => number
}

interface Entry extends SavedPeer {
  dialable: KadPeer
  subnet: string | undefined
  failures: number
}

export class PeerBook {
  readonly #options: PeerBookOptions
  /** By peer id. The peer that was seen least recently first. */
  readonly #entries = new Map<string, Entry>()
  #closed = false
  #failedAt = -Infinity

  constructor(options: PeerBookOptions) {
    this.#options = options
    this.#guard(() => {
      const saved = [...options.store.load()].sort((a, b) => a.seenAt - b.seenAt)
      for (const one of saved) {
        const entry = this.#isOld(one) ? undefined : parse(one)
        if (entry === undefined) options.store.remove(one.peer)
        else this.#put(entry)
      }
    })
  }

  get size(): number {
    return this.#entries.size
  }

  /** The address at which each saved peer answered. Its other addresses are only claims, so they are left out. */
  addresses(): Multiaddr[] {
    return [...this.#entries.values()].flatMap(({ dialable }) => dialable.addresses.slice(0, 1))
  }

  /** Returns all saved peers: the peers of the last day first, each group in random order. */
  peers(random: () => number): KadPeer[] {
    const all = [...this.#entries.values()].filter((entry) => !this.#isOld(entry))
    const recent = Map.groupBy(all, ({ seenAt }) => this.#options.now() - seenAt < DAY_MS)
    return [true, false].flatMap((group) => {
      const entries = recent.get(group) ?? []
      return sample(entries, entries.length, random).map(({ dialable }) => dialable)
    })
  }

  /** Saves a peer that answered. */
  seen(peerId: PeerId, addresses: readonly Multiaddr[]): void {
    const peer = peerId.toString()
    const now = this.#options.now()
    const texts = [...new Set(addresses.map(String))].slice(0, MAX_SAVED_ADDRESSES)
    const known = this.#entries.get(peer)
    if (known !== undefined) known.failures = 0
    const unchanged = texts.every((text) => known?.addresses.includes(text))
    if (known !== undefined && unchanged && Math.abs(now - known.seenAt) < SAVE_AGAIN_MS) return
    // An entry peer is asked without addresses, over an open connection.
    const entry = parse({ peer, addresses: texts.length > 0 ? texts : (known?.addresses ?? []), seenAt: now })
    if (entry === undefined) return
    this.#put(entry)
    this.#write((store) => store.save({ peer, addresses: entry.addresses, seenAt: now }))
  }

  /** Counts a failure of a peer that did not answer, although the client's own network works: another peer answered. */
  failed(peer: string): void {
    const entry = this.#entries.get(peer)
    if (entry !== undefined && ++entry.failures >= MAX_SAVED_FAILURES) this.#remove(peer)
  }

  close(): void {
    this.#guard(() => this.#options.store.close())
    this.#closed = true
  }

  #put(entry: Entry): void {
    this.#entries.delete(entry.peer)
    if (entry.subnet !== undefined) {
      const limit = isRelayedSubnet(entry.subnet) ? MAX_SAVED_PER_RELAY : MAX_SAVED_PER_SUBNET
      const same = [...this.#entries.values()].filter(({ subnet }) => subnet === entry.subnet)
      const [oldest] = same
      if (oldest !== undefined && same.length >= limit) this.#remove(oldest.peer)
    }
    if (this.#entries.size >= MAX_SAVED_PEERS) this.#removeOne()
    this.#entries.set(entry.peer, entry)
  }

  /** Removes the oldest peer of the largest subnet, so that an attacker displaces its own peers first. */
  #removeOne(): void {
    const subnets = [...Map.groupBy(this.#entries.values(), ({ subnet }) => subnet).values()]
    const [oldest] = subnets.reduce((largest, one) => (one.length > largest.length ? one : largest), [])
    if (oldest !== undefined) this.#remove(oldest.peer)
  }

  #remove(peer: string): void {
    this.#entries.delete(peer)
    this.#write((store) => store.remove(peer))
  }

  #isOld({ seenAt }: SavedPeer): boolean {
    return Math.abs(this.#options.now() - seenAt) > SAVED_PEER_MS
  }

  /** Writes a change, unless a write failed a short time ago: saving must not delay this run again and again. */
  #write(change: (store: PeerStore) => void): void {
    if (Math.abs(this.#options.now() - this.#failedAt) >= STORE_RETRY_MS) {
      this.#guard(() => change(this.#options.store))
    }
  }

  #guard(use: () => void): void {
    // A peer can answer at the moment when the client stops.
    if (this.#closed) return
    try {
      use()
    } catch (error) {
      this.#failedAt = this.#options.now()
      this.#options.onStoreError(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

const DAY_MS = 24 * 60 * 60_000

/** Returns undefined for a damaged entry. */
function parse({ peer, addresses, seenAt }: SavedPeer): Entry | undefined {
  const parsed = parseAddresses(addresses.slice(0, MAX_SAVED_ADDRESSES))
  const [first] = parsed
  if (first === undefined || !Number.isFinite(seenAt)) return undefined
  try {
    const dialable = { peerId: peerIdFromString(peer), addresses: parsed }
    return { peer, addresses: parsed.map(String), seenAt, dialable, subnet: subnetOf(first), failures: 0 }
  } catch {
    return undefined
  }
}

/** Skips addresses that are not multiaddrs. */
export function parseAddresses(addresses: readonly string[]): Multiaddr[] {
  return addresses.flatMap((address) => {
    try {
      return [multiaddr(address)]
    } catch {
      return []
    }
  })
}
