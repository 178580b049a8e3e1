/**
 * One lookup: collects candidates from all sources, asks them for their cards, and reports the nodes that answer.
 *
 * The sources run at the same time: saved peers, entry peers, the cards that answers carry, and walks in the DHT. Up to
 * `PARALLEL_CARDS` peers are asked at once. A peer that is slow gives its place to the next one, so silent peers and dead
 * records cost places for a moment, and never hold up a live node.
 */
import { isListed, type KadPeer, type PotluckError, type Topic } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

import type { Clock } from '../base/clock.ts'
import {
  CARD_REFRESH_MS,
  MAX_ASKED,
  MAX_ASKED_FOR_LIST,
  MAX_CARD_RECORDS,
  MAX_PROVIDERS,
  MAX_SHARDS,
  MAX_SHARDS_FOR_LIST,
  MAX_START_SERVERS,
  PARALLEL_CARDS,
  PARALLEL_PROVIDERS,
  SEARCH_HEAD_START_MS,
  SAVED_AT_ONCE,
  SLOW_CARD_MS
} from '../base/constants.ts'
import type { Dialable, Entry, Network } from '../network/network.ts'
import type { Answered, Asker } from './asker.ts'
import { Candidates, type Candidate } from './candidates.ts'
import { EntryReport } from './entry-report.ts'
import { dialable, type KnownNode } from './known-node.ts'
import type { PeerBook } from '../peers/peer-book.ts'
import type { TopicSearch } from './topic-search.ts'

/** Searches of one lookup: normally one. Each bootstrap peer without the DHT can cost one more. */
const MAX_SEARCHES = 5

export interface LookupContext {
  network: Network
  asker: Asker
  book: PeerBook
  topics: TopicSearch
  clock: Clock
  random: () => number
  /** A node answered, or a moment ago. `listed`: its card has the topic. */
  onNode: (peer: string, listed: boolean) => void
  /** The number of nodes after which the lookup ends. It can grow while the lookup runs. */
  wanted: () => number
  /** Fires at the time limit of the lookup, or when the client stops. */
  signal: AbortSignal
}

export class LookupRun {
  readonly #topic: Topic
  readonly #context: LookupContext
  readonly #candidates: Candidates
  readonly #report = new EntryReport()
  /** Servers with which the first search can begin, and entry peers, which later ones need too. By peer id. */
  readonly #servers = new Map<string, KadPeer>()
  readonly #entered = new Map<string, KadPeer>()
  readonly #unreachable: Dialable[] = []
  #changed = Promise.withResolvers<void>()
  /** Peers that were asked and are neither answered nor slow: all, and those that provider records name. */
  #fast = 0
  #fastProviders = 0
  #answered = false
  #headStartOver = false
  /** Peers that have not answered. */
  #running = 0
  #asked = 0
  /** Nodes that serve the topic. */
  readonly #found = new Set<string>()
  /** Nodes that do not count as found. */
  #ignored: ReadonlySet<string> = new Set()
  #reserveOpen = false
  #enteringEnded = false
  #searching = false
  #searches = 0
  /** A server of the DHT replied. */
  #searched = false
  /** Cards of other nodes that answers carried: all, and those with the topic. */
  readonly #named = { all: 0, listed: 0 }
  #recordsTried = false

  constructor(topic: Topic, context: LookupContext) {
    this.#topic = topic
    this.#context = context
    this.#candidates = new Candidates(context.random)
  }

  /**
   * Resolves when nothing is left to ask or enough nodes are known.
   *
   * @param known nodes that answered earlier lookups
   * @param options.fresh known nodes do not count, because the caller needs others
   * @returns true if nothing is left
   * @throws the signal's reason
   */
  async run(known: readonly KnownNode[], { fresh }: { fresh: boolean }): Promise<boolean> {
    const { signal, network, clock } = this.#context
    const left = new AbortController()
    const until = AbortSignal.any([signal, left.signal])
    if (fresh) this.#ignored = new Set(known.map(({ card }) => card.peerId.toString()))
    else this.#addKnown(known)
    this.#addSaved()
    void this.#enter(until)
    for (const server of await network.servers().catch(() => [])) this.#addServer(server)
    clock.sleep(SEARCH_HEAD_START_MS, until).then(
      () => {
        this.#headStartOver = true
        this.#changed.resolve()
      },
      () => undefined
    )
    try {
      for (;;) {
        signal.throwIfAborted()
        this.#askNext()
        if (this.#enough()) return false
        this.#searchNext(until)
        if (this.#idle() && !(await this.#lastResort())) break
        if (!this.#idle()) await raceSignal(this.#changed.promise, signal)
        this.#changed = Promise.withResolvers()
      }
    } finally {
      left.abort(new Error('the lookup ended'))
    }
    return true
  }

  /** The reason why the lookup could not join the network. Undefined if it did. */
  failure(): PotluckError | undefined {
    const { network, book } = this.#context
    return this.#report.error({ ...network.entrances, saved: book.size })
  }

  /**
   * Adds the nodes of earlier lookups. Nodes that answered a request or sent their card a moment ago come first. Known
   * nodes fill at most half of the first places, so that a lookup also asks new nodes.
   */
  #addKnown(known: readonly KnownNode[]): void {
    const now = this.#context.clock.now()
    const used = known.filter(({ loadAt, seenAt }) => loadAt > seenAt || now - seenAt < CARD_REFRESH_MS)
    const others = known.filter((node) => !used.includes(node))
    const first = used.slice(0, MAX_PROVIDERS / 2)
    const share = MAX_PROVIDERS / 2 - first.length
    const listed = others.map(({ card }) => dialable(card))
    this.#candidates.add(
      'known',
      first.map(({ card }) => dialable(card))
    )
    this.#candidates.add('known', listed.slice(0, share))
    this.#candidates.add('named', listed.slice(share))
  }

  #addSaved(): void {
    const { book, random } = this.#context
    const saved = book.peers(random)
    this.#candidates.add('named', this.#alive(saved.slice(0, SAVED_AT_ONCE)), { shuffle: false })
    this.#candidates.add('reserve', saved.slice(SAVED_AT_ONCE), { shuffle: false })
  }

  async #enter(signal: AbortSignal): Promise<void> {
    try {
      for await (const entry of this.#context.network.entries(signal)) this.#addEntry(entry)
    } catch {
      // The signal fired. `run` reports it.
    }
    this.#enteringEnded = true
    this.#changed.resolve()
  }

  #addEntry(entry: Entry): void {
    this.#report.entered(entry)
    if ('peerId' in entry) {
      const peer = { peerId: entry.peerId, addresses: [] }
      this.#candidates.add('known', [peer])
      this.#entered.set(entry.peerId.toString(), peer)
    }
    this.#changed.resolve()
  }

  #addServer(server: KadPeer): void {
    const peer = server.peerId.toString()
    if (this.#servers.size < MAX_START_SERVERS) this.#servers.set(peer, server)
  }

  /** Fills the free places. */
  #askNext(): void {
    const limit = this.#lists() ? MAX_ASKED_FOR_LIST : MAX_ASKED
    // Slow peers do not delay the reserve.
    if (this.#fast === 0 && this.#enteringEnded && !this.#searching) this.#reserveOpen = this.#found.size === 0
    while (this.#fast < PARALLEL_CARDS && this.#asked < limit && !this.#enough()) {
      const candidate = this.#candidates.next({
        provider: this.#fastProviders < PARALLEL_PROVIDERS,
        reserve: this.#reserveOpen
      })
      if (candidate === undefined) break
      void this.#ask(candidate)
    }
  }

  /**
   * A search waits for the first answer, and then while peers are asked that live peers named: these may suffice. A rare
   * model is named by nobody, so its search begins with the first answer.
   */
  #searchIsDue(): boolean {
    if (this.#headStartOver) return true
    const asksNamed = this.#candidates.hasNamed || this.#fast > this.#fastProviders
    return this.#enteringEnded || this.#answered ? !asksNamed : false
  }

  async #ask(candidate: Candidate): Promise<void> {
    const { clock, asker, signal, book } = this.#context
    const provider = candidate.group === 'provider' ? 1 : 0
    this.#asked++
    this.#running++
    this.#fast++
    this.#fastProviders += provider
    let fast = true
    const freePlace = (): void => {
      if (!fast) return
      fast = false
      this.#fast--
      this.#fastProviders -= provider
      this.#changed.resolve()
    }
    const ended = new AbortController()
    clock.sleep(SLOW_CARD_MS, AbortSignal.any([signal, ended.signal])).then(freePlace, () => undefined)
    const peer = candidate.peerId.toString()
    try {
      const answered = await asker.confirm(candidate)
      this.#report.answered(peer)
      this.#onAnswer(candidate, answered)
    } catch (error) {
      this.#report.failed(peer, error)
      if (this.#found.size > 0) book.failed(peer)
      this.#unreachable.push(candidate)
    }
    ended.abort()
    this.#running--
    freePlace()
    this.#changed.resolve()
  }

  #onAnswer({ peerId, addresses }: Candidate, { node, others }: Answered): void {
    const peer = peerId.toString()
    this.#answered = true
    this.#candidates.answered(peer)
    this.#addServer({ peerId, addresses })
    const fresh = others.filter((card) => !card.draining)
    const named = Map.groupBy(fresh, (card) => isListed(this.#topic, card))
    this.#named.all += fresh.length
    this.#named.listed += named.get(true)?.length ?? 0
    this.#candidates.add('named', this.#alive((named.get(true) ?? []).map(dialable)))
    this.#candidates.add('reserve', (named.get(false) ?? []).map(dialable))
    if (node === undefined) return
    const listed = isListed(this.#topic, node.card)
    if (listed && !this.#ignored.has(peer)) this.#found.add(peer)
    this.#context.onNode(peer, listed)
  }

  /** Puts the peers in reserve that did not answer a short time ago. */
  #alive(peers: readonly Dialable[]): Dialable[] {
    const dead = Map.groupBy(peers, (peer) => this.#context.asker.isDead(peer))
    this.#candidates.add('reserve', dead.get(true) ?? [])
    return dead.get(false) ?? []
  }

  /**
   * Starts a search of the topic if there are servers to begin with. An entry peer that no search has reached starts
   * another one: a peer that was faster may be in a part of the network that is cut off, or lie.
   */
  #searchNext(signal: AbortSignal): void {
    if (this.#searching || this.#searches >= MAX_SEARCHES || !this.#searchIsDue()) return
    const { topics, network, clock, random } = this.#context
    const servers = new Map([...(this.#searched ? [] : this.#servers), ...this.#entered])
    const start = [...servers].flatMap(([peer, server]) => (this.#report.askedDht(peer) ? [] : [server]))
    if (start.length === 0) return
    this.#searching = true
    this.#searches++
    const search = topics.search(this.#topic, {
      start,
      askKad: async (server, key, until) => {
        const peer = server.peerId.toString()
        try {
          const reply = await network.askKad(server, key, until)
          this.#report.servedDht(peer)
          return reply
        } catch (error) {
          this.#report.failedDht(peer, error)
          throw error
        }
      },
      clock,
      random,
      shards: this.#lists() ? MAX_SHARDS_FOR_LIST : MAX_SHARDS,
      share: this.#topic.kind === 'nodes' ? 1 : this.#named.listed / Math.max(1, this.#named.all),
      onProviders: (providers) => {
        this.#candidates.add('provider', this.#alive(providers))
        this.#changed.resolve()
      },
      enough: () => this.#enough(),
      signal
    })
    const ended = (replied: boolean): void => {
      this.#searched ||= replied
      this.#searching = false
      this.#changed.resolve()
    }
    search.then(ended, () => ended(false))
  }

  /** If no node was found: tries the addresses that the DHT has in the cards of some unreachable peers. */
  async #lastResort(): Promise<boolean> {
    if (this.#found.size > 0 || this.#recordsTried || !this.#searched) return false
    this.#recordsTried = true
    const { asker } = this.#context
    const peers = this.#unreachable.slice(0, MAX_CARD_RECORDS)
    const records = await Promise.all(peers.map(async (peer) => await asker.recorded(peer).catch(() => undefined)))
    const moved = records.filter((record) => record !== undefined)
    this.#candidates.add('named', moved)
    this.#askNext()
    return this.#running > 0
  }

  #idle(): boolean {
    // The LAN can stay silent for seconds. Saved peers may have joined the network meanwhile.
    const joined = !this.#context.network.entrances.bootstrap && this.#searched && this.#found.size > 0
    return this.#running === 0 && (this.#enteringEnded || joined) && !this.#searching
  }

  #enough(): boolean {
    return this.#found.size >= this.#context.wanted()
  }

  #lists(): boolean {
    return this.#context.wanted() > MAX_PROVIDERS
  }
}
