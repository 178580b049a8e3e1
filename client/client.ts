/** The client: what an application uses of a Potluck network. */
import type { Libp2p } from '@libp2p/interface'
import {
  anyNodeCid,
  DEFAULT_TIMEOUTS,
  formatDigest,
  PotluckError,
  type PhaseTimeouts,
  type Scope
} from '@potluck/protocol'

import { Answer } from './answer.ts'
import { SYSTEM_CLOCK } from './base/clock.ts'
import { Auditing, type Judged, type Proof } from './audit/auditing.ts'
import type { Auditor } from './audit/auditor.ts'
import { Directory } from './discover/directory.ts'
import { toModelViews, type ModelView } from './discover/models.ts'
import { dialable, type KnownNode } from './discover/known-node.ts'
import { embed, type EmbedOptions, type EmbedResult } from './embed.ts'
import { askNode, workloadOf } from './generate/ask-node.ts'
import type { AttemptContext } from './generate/attempt.ts'
import { generate } from './generate/generate.ts'
import { sendRequest } from './generate/wire.ts'
import { borrowNetwork, createNetwork } from './network/create.ts'
import type { Dialable, Network } from './network/network.ts'
import type { Platform } from './platform/platform.ts'
import {
  MemoryReputationStore,
  Reputation,
  type ReputationParameters,
  type ReputationStore
} from './reputation/index.ts'
import { toAsk, type ChatOptions, type CompletionOptions } from './base/request.ts'
import { Selector, type Candidate, type Mode, type UserNodes } from './select/index.ts'
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
  nodes: (options?: FindOptions) => AsyncIterable<KnownNode>
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
  readonly #user: UserNodes
  readonly #timeouts: PhaseTimeouts
  readonly #listeners = new Set<(judged: Judged) => void>()
  readonly #stopped = new AbortController()
  #stopping: Promise<void> | undefined

  constructor(network: Network, reputation: Reputation, options: ClientOptions) {
    const { mode, localNode, trusted = [], auditor, timeouts } = options
    this.#network = network
    this.#directory = new Directory(network)
    this.#reputation = reputation
    this.#user = { localNode, trusted: new Set(trusted) }
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts }
    this.#selector = new Selector({
      reputation,
      directory: this.#directory,
      user: this.#user,
      now: SYSTEM_CLOCK.now,
      random: Math.random,
      ...(mode && { mode })
    })
    this.#auditing = new Auditing({
      reputation,
      auditor,
      network,
      jurors: (digest, accused) => this.#auditors(digest, accused),
      ask: async (peer, digest, ask, signal) => {
        const candidate = this.#candidates(digest).find((one) => one.peer === peer)
        if (candidate === undefined) throw new PotluckError('no_providers', 'the node is not known now')
        const { value: ranked } = this.#selector.rank([candidate], workloadOf(ask)).next()
        return await askNode(ranked!, ask, this.#attempts(signal))
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
      clock: SYSTEM_CLOCK,
      timeouts: this.#timeouts,
      signal: this.#until(options.signal)
    })
  }

  async *nodes({ signal }: FindOptions = {}): AsyncGenerator<KnownNode> {
    yield* this.#directory.find(anyNodeCid(), { signal: this.#until(signal) })
  }

  async models(options: FindOptions = {}): Promise<ModelView[]> {
    const nodes: KnownNode[] = []
    for await (const node of this.nodes(options)) nodes.push(node)
    return toModelViews(nodes)
  }

  standing(): PeerStanding[] {
    return peerStandings(this.#reputation, this.#directory.known(), this.#user)
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
          ...this.#attempts(signal),
          directory: this.#directory,
          selector: this.#selector,
          canAudit: (asked, digest, serving) => this.#auditing.canAudit(asked, digest, serving),
          onAnswer: (answer) => this.#auditing.answered(answer)
        }),
      this.#until(options.signal)
    )
  }

  #attempts(signal: AbortSignal): AttemptContext {
    return {
      send: (node, request, options) => sendRequest(node, request, { ...options, network: this.#network }),
      selector: this.#selector,
      clock: SYSTEM_CLOCK,
      timeouts: this.#timeouts,
      signal
    }
  }

  /** The nodes that serve the digest now, whatever their standing. */
  #candidates(digest: string): Candidate[] {
    return this.#directory.known().flatMap((node) => {
      const model = node.card.models.find((one) => formatDigest(one.digest) === digest)
      return model === undefined ? [] : [this.#selector.candidate(node, model)]
    })
  }

  #auditors(digest: string, accused: string): Dialable[] {
    return this.#candidates(digest)
      .filter(({ peer, node, model }) => peer !== accused && !node.card.draining && model.features.includes('score'))
      .filter(({ standing }) => standing !== 'quarantined' && standing !== 'banned')
      .map(({ node }) => dialable(node.card))
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#stopped.signal : AbortSignal.any([this.#stopped.signal, signal])
  }
}
