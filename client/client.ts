/** The client: what an application uses of a Potluck network. */
import type { Libp2p } from '@libp2p/interface'
import { anyNodeCid, DEFAULT_TIMEOUTS, PotluckError, type PhaseTimeouts, type Scope } from '@potluck/protocol'

import { Answer } from './answer.ts'
import { Directory } from './discover/directory.ts'
import { toModelViews, type ModelView } from './discover/models.ts'
import type { Sighting } from './discover/ask-card.ts'
import { embed, type EmbedOptions, type EmbedResult } from './embed/embed.ts'
import { generate } from './generate/generate.ts'
import { borrowNetwork, createNetwork } from './network/create.ts'
import type { Network } from './network/network.ts'
import type { Platform } from './platform/platform.ts'
import { toAsk, type ChatOptions, type CompletionOptions } from './request.ts'

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
  /** Patience in each phase of an attempt. Default `DEFAULT_TIMEOUTS`. */
  timeouts?: Partial<PhaseTimeouts>
  /** Stops the client. */
  signal?: AbortSignal
}

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
  /** Ends what runs, and the connections. */
  stop: () => Promise<void>
}

/** What `createClient` is on every platform. */
export async function createClientOn(platform: Platform, options: ClientOptions): Promise<Client> {
  const { bootstrap = [], mdns = bootstrap.length === 0, scope, libp2p, timeouts, signal } = options
  signal?.throwIfAborted()
  const network =
    libp2p === undefined ? await createNetwork({ bootstrap, mdns, scope }, platform) : borrowNetwork(libp2p, bootstrap)
  const client = new NetworkClient(network, { ...DEFAULT_TIMEOUTS, ...timeouts })
  signal?.addEventListener('abort', () => void client.stop(), { once: true })
  return client
}

class NetworkClient implements Client {
  readonly #network: Network
  readonly #directory: Directory
  readonly #timeouts: PhaseTimeouts
  readonly #stopped = new AbortController()

  constructor(network: Network, timeouts: PhaseTimeouts) {
    this.#network = network
    this.#directory = new Directory(network)
    this.#timeouts = timeouts
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

  async stop(): Promise<void> {
    this.#stopped.abort(new PotluckError('aborted', 'the client was stopped'))
    this.#directory.stop()
    await this.#network.stop()
  }

  #ask(options: ChatOptions | CompletionOptions): Answer {
    const ask = toAsk(options)
    return new Answer(
      (signal) =>
        generate(ask, {
          network: this.#network,
          directory: this.#directory,
          timeouts: this.#timeouts,
          random: Math.random,
          now: Date.now,
          signal
        }),
      this.#until(options.signal)
    )
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#stopped.signal : AbortSignal.any([this.#stopped.signal, signal])
  }
}
