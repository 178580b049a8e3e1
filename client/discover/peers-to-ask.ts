/**
 * The peers that a lookup may ask, and their order. The group of a peer says what the client knows about it. Within a
 * group, the sources take turns, and the peers of a source are in random order. So no storer and no node can place itself
 * first, and clients spread over all nodes.
 */
import { sample } from '@potluck/protocol'

import { MAX_TRIES_PER_PEER, MAX_WAITING } from '../base/constants.ts'
import type { Dialable } from '../network/network.ts'

/**
 * - `known`: entry peers, and nodes that answered a short time ago.
 * - `named`: peers that a live peer named, and saved peers.
 * - `provider`: peers that a provider record names.
 * - `reserve`: peers that the lookup asks only if it finds no node without them.
 */
export type Group = 'known' | 'named' | 'provider' | 'reserve'

export interface PeerToAsk extends Dialable {
  group: Group
}

/** The peers of one group. Each source has its own list, in random order. */
class Sources {
  readonly #random: () => number
  readonly #lists: Dialable[][] = []
  #turn = 0

  constructor(random: () => number) {
    this.#random = random
  }

  add(peers: readonly Dialable[]): void {
    if (peers.length === 0) return
    this.#lists.splice(Math.floor(this.#random() * (this.#lists.length + 1)), 0, [...peers])
  }

  get empty(): boolean {
    return this.#lists.length === 0
  }

  next(): Dialable | undefined {
    if (this.#lists.length === 0) return undefined
    this.#turn %= this.#lists.length
    const list = this.#lists[this.#turn]!
    const peer = list.shift()
    if (list.length === 0) this.#lists.splice(this.#turn, 1)
    else this.#turn++
    return peer
  }
}

export class PeersToAsk {
  readonly #random: () => number
  readonly #groups: Readonly<Record<Group, Sources>>
  /** The addresses at which a peer was or will be asked, by peer id. */
  readonly #seen = new Map<string, Set<string>>()
  readonly #answered = new Set<string>()
  #waiting = 0
  #afterProvider = true

  constructor(random: () => number) {
    this.#random = random
    const sources = (): Sources => new Sources(random)
    this.#groups = { known: sources(), named: sources(), provider: sources(), reserve: sources() }
  }

  /**
   * Adds the peers of one source.
   *
   * @param shuffle false: the source has an order. Default true
   */
  add(group: Group, peers: readonly Dialable[], { shuffle = true }: { shuffle?: boolean } = {}): void {
    // A peer in reserve is not noted yet, so that it can move up when another source names it.
    const fresh = group === 'reserve' ? peers : peers.filter((peer) => this.#note(peer))
    const added = fresh.slice(0, MAX_WAITING - this.#waiting)
    this.#waiting += added.length
    this.#groups[group].add(shuffle ? sample(added, added.length, this.#random) : added)
  }

  /** The peer sent its card. It is not asked at other addresses. */
  answered(peer: string): void {
    this.#answered.add(peer)
  }

  /** Whether a peer that a live peer named waits for its turn. */
  get hasNamed(): boolean {
    return !this.#groups.known.empty || !this.#groups.named.empty
  }

  /** @param allowed groups from which to take */
  next(allowed: { provider: boolean; reserve: boolean }): PeerToAsk | undefined {
    const order: Group[] = this.#afterProvider ? ['known', 'named', 'provider'] : ['known', 'provider', 'named']
    for (const group of [...order, 'reserve' as const]) {
      if ((group === 'provider' && !allowed.provider) || (group === 'reserve' && !allowed.reserve)) continue
      for (let peer = this.#groups[group].next(); peer !== undefined; peer = this.#groups[group].next()) {
        this.#waiting--
        if (this.#answered.has(peer.peerId.toString()) || (group === 'reserve' && !this.#note(peer))) continue
        if (group === 'named' || group === 'provider') this.#afterProvider = group === 'provider'
        return { ...peer, group }
      }
    }
    return undefined
  }

  #note({ peerId, addresses }: Dialable): boolean {
    const peer = peerId.toString()
    const key = addresses.map(String).sort().join(' ')
    const keys = this.#seen.get(peer) ?? new Set()
    if (this.#answered.has(peer) || keys.has(key) || keys.size >= MAX_TRIES_PER_PEER) return false
    this.#seen.set(peer, keys.add(key))
    return true
  }
}
