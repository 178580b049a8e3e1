/** The client: what an application uses of a Potluck network. */
import type { Libp2p } from '@libp2p/interface'
import {
  anyNodeCid,
  DEFAULT_TIMEOUTS,
  parseDigest,
  PotluckError,
  type PhaseTimeouts,
  type Scope
} from '@potluck/protocol'

import { Answer } from './answer.ts'
import { Auditing, type Judged, type Proof } from './audit/auditing.ts'
import type { Auditor } from './audit/auditor.ts'
import { Directory } from './discover/directory.ts'
import { toModelViews, type ModelView } from './discover/models.ts'
import { parseAddresses, type Sighting } from './discover/ask-card.ts'
import { embed, type EmbedOptions, type EmbedResult } from './embed/embed.ts'
import { askOne } from './generate/ask-one.ts'
import { generate } from './generate/generate.ts'
import { borrowNetwork, createNetwork } from './network/create.ts'
import type { Dialable, Network } from './network/network.ts'
import type { Platform } from './platform/platform.ts'
import {
  MemoryReputationStore,
  Reputation,
  type ReputationParameters,
  type ReputationStore
} from './reputation/index.ts'
import { toAsk, type ChatOptions, type CompletionOptions } from './request.ts'
import { offersOf, Selector, type Friends, type Mode } from './select/index.ts'
import { peerStandings, type PeerStanding } from './standing.ts'

export interface ClientOptions {
  /** Multiaddrs of peers that lead into the network, with `/p2p/…`: relays or nodes. Default: none. */
  bootstrap?: readonly string[]
  /** Find peers on the local network by multicast DNS; not in a browser. Default: where no bootstrap address is given. */
  mdns?: boolean
  /**
   * `local` dials private addresses, `public` does not. Default: `public` if a bootstrap address is public.
   */
  scope?: Scope
  /** A libp2p of the caller's that runs the network's DHT, in place of one of our own. It is not stopped. */
  libp2p?: Libp2p
  /**
   * Who may get a request. `open` (the default): all but those whom audits speak against. `trusted`: the user's own node
   * and the trusted ones. `local`: the own node alone, so that nothing leaves the machine.
   */
  mode?: Mode
  /** Peer id of the user's own node, on this machine: asked first while it has a free slot, and not judged. */
  localNode?: string
  /** Peer ids of nodes that the user trusts: they need no trial, but are audited like all. */
  trusted?: readonly string[]
  /** What is remembered of nodes, and where. Default: in memory. */
  reputation?: ReputationSettings
  /** Measures answers with an engine or a node of the user's own; see `auditorOf`. Default: others judge what is shareable. */
  auditor?: Auditor
  /** Patience in each phase of an attempt. Default `DEFAULT_TIMEOUTS`. */
  timeouts?: Partial<PhaseTimeouts>
  /** Stops the client. */
  signal?: AbortSignal
}

export type ReputationSettings = {
  /** What differs from `DEFAULT_REPUTATION`. */
  parameters?: Partial<ReputationParameters>
} & (
  | { store?: undefined }
  | {
      /** Where it is kept. The client closes it when it stops. */
      store: ReputationStore
      /** Hears when something learnt could not be kept; the client goes on with what it knows. */
      onStoreError: (error: Error) => void
    }
)

export interface FindOptions {
  signal?: AbortSignal
}

/** A node with its card, its load and the round trip to it. */
export type NodeView = Sighting

export interface Client {
  /**
   * Asks a chat model. Nothing is sent before the answer is read. `examples/chat.ts` streams one,
   * `examples/cancel.ts` stops one.
   *
   * @throws PotluckError `invalid_request` at once for what no node would take; all else while reading
   */
  chat: (options: ChatOptions) => Answer
  /** Continues a text as it is, without a chat template; see `examples/repeat.ts`. Otherwise as `chat`. */
  complete: (options: CompletionOptions) => Answer
  /**
   * Gives each text a vector, by which texts of like meaning can be found.
   *
   * @throws PotluckError `invalid_request` for no text or an empty one, `no_providers`, or the last node's failure
   */
  embed: (options: EmbedOptions) => Promise<EmbedResult>
  /**
   * The nodes that serve now, each as it is found; see `examples/nodes.ts`. What a lookup of the last
   * minute found is given again without another.
   *
   * @throws PotluckError `no_providers` if the network could not be joined
   */
  nodes: (options?: FindOptions) => AsyncIterable<NodeView>
  /** What is served now, one entry for each digest. Takes as long as the whole lookup. */
  models: (options?: FindOptions) => Promise<ModelView[]>
  /** What this client thinks of every node that it knows, and why. */
  standing: () => PeerStanding[]
  /** Why it thinks so of one node: sentences, most telling first; none where nothing is known. */
  explain: (peerId: string) => string[]
  /** For each node that this client has banned by answers that may be shown: these, as a file for `potluck audit`. */
  proofs: () => Proof[]
  /** Calls back after every audit; returns the way to stop it. */
  onJudged: (listener: (judged: Judged) => void) => () => void
  /** Resolves when no audit is under way: they go on behind the answers. */
  audited: () => Promise<void>
  /** Ends what runs, audits included, and the connections. */
  stop: () => Promise<void>
}

/** What `createClient` is on every platform. */
export async function createClientOn(platform: Platform, options: ClientOptions): Promise<Client> {
  const { bootstrap = [], mdns = bootstrap.length === 0, scope, libp2p, signal } = options
  signal?.throwIfAborted()
  const reputation = openReputation(options.reputation)
  try {
    const network =
      libp2p === undefined
        ? await createNetwork({ bootstrap, mdns, scope }, platform)
        : borrowNetwork(libp2p, bootstrap)
    const client = new NetworkClient(network, reputation, options)
    signal?.addEventListener('abort', () => void client.stop(), { once: true })
    return client
  } catch (error) {
    reputation.close()
    throw error
  }
}

function openReputation(settings: ReputationSettings = {}): Reputation {
  return new Reputation({ ...settings, store: settings.store ?? new MemoryReputationStore() })
}

class NetworkClient implements Client {
  readonly #network: Network
  readonly #directory: Directory
  readonly #reputation: Reputation
  readonly #selector: Selector
  readonly #auditing: Auditing
  readonly #friends: Friends
  readonly #timeouts: PhaseTimeouts
  readonly #listeners = new Set<(judged: Judged) => void>()
  readonly #stopped = new AbortController()
  #stopping: Promise<void> | undefined

  constructor(network: Network, reputation: Reputation, options: ClientOptions) {
    const { mode, localNode, trusted = [], auditor, timeouts } = options
    this.#network = network
    this.#directory = new Directory(network)
    this.#reputation = reputation
    this.#selector = new Selector({ reputation, now: Date.now, random: Math.random, ...(mode && { mode }) })
    this.#friends = { localNode, trusted: new Set(trusted) }
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts }
    this.#auditing = new Auditing({
      reputation,
      auditor,
      network,
      otherAuditors: (digest, audited) => this.#jurors(digest, audited),
      ask: async (peer, digest, ask, signal) => {
        const offer = this.#offers(digest).find((one) => one.peer === peer)
        if (offer === undefined) throw new PotluckError('no_providers', 'the node is not there now')
        return await askOne(offer, ask, { network, timeouts: this.#timeouts, signal })
      },
      isOwn: (peer) => peer === localNode,
      onJudged: (judged) => this.#listeners.forEach((listener) => listener(judged)),
      random: Math.random
    })
  }

  chat(options: ChatOptions): Answer {
    return this.#ask(options)
  }

  complete(options: CompletionOptions): Answer {
    return this.#ask(options)
  }

  async embed(options: EmbedOptions): Promise<EmbedResult> {
    return await embed(options, {
      network: this.#network,
      directory: this.#directory,
      selector: this.#selector,
      friends: this.#friends,
      timeouts: this.#timeouts,
      signal: this.#until(options.signal)
    })
  }

  async *nodes({ signal }: FindOptions = {}): AsyncGenerator<NodeView> {
    yield* this.#directory.find(anyNodeCid(), { signal: this.#until(signal) })
  }

  async models(options: FindOptions = {}): Promise<ModelView[]> {
    const nodes: NodeView[] = []
    for await (const node of this.nodes(options)) nodes.push(node)
    return toModelViews(nodes)
  }

  standing(): PeerStanding[] {
    return peerStandings(this.#reputation, this.#directory.known(), this.#friends)
  }

  explain(peerId: string): string[] {
    return this.standing()
      .filter((one) => one.peerId === peerId)
      .flatMap(({ reasons }) => reasons)
  }

  proofs(): Proof[] {
    return this.#auditing.proofs()
  }

  onJudged(listener: (judged: Judged) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async audited(): Promise<void> {
    await this.#auditing.idle()
  }

  async stop(): Promise<void> {
    await (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#stopped.abort(new PotluckError('aborted', 'the client was stopped'))
    this.#directory.stop()
    await this.#auditing.stop()
    await this.#network.stop()
    this.#reputation.close()
  }

  #ask(options: ChatOptions | CompletionOptions): Answer {
    const ask = toAsk(options)
    return new Answer(
      (signal) =>
        generate(ask, {
          network: this.#network,
          directory: this.#directory,
          selector: this.#selector,
          friends: this.#friends,
          timeouts: this.#timeouts,
          auditable: (asked, digest, serving) => this.#auditing.canAudit(asked, digest, serving),
          answered: (answer) => this.#auditing.answered(answer),
          now: Date.now,
          signal
        }),
      this.#until(options.signal)
    )
  }

  #offers(digest: string): ReturnType<typeof offersOf> {
    const bytes = parseDigest(digest)
    if (bytes === undefined) return []
    return this.#directory.known().flatMap((sighting) => {
      return offersOf(sighting, { kind: 'digest', digest: bytes }, [], this.#friends)
    })
  }

  #jurors(digest: string, accused: string): Dialable[] {
    return this.#offers(digest)
      .filter(({ peer, draining, model }) => peer !== accused && !draining && model.features.includes('score'))
      .filter(({ peer }) => !['quarantined', 'banned'].includes(this.#reputation.standing(peer, digest)))
      .map(({ sighting: { card } }) => ({ peerId: card.peerId, addresses: parseAddresses(card) }))
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#stopped.signal : AbortSignal.any([this.#stopped.signal, signal])
  }
}
