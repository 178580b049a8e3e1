/** A node over real libp2p. The test writes the node's side of the protocol. Clients find it through a DHT peer. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import {
  anyNodeCid,
  CARD_PROTOCOL,
  decodeClientFrame,
  decodeEmbedRequest,
  EMBED_PROTOCOL,
  encodeCardReply,
  encodeEmbedReply,
  FrameStream,
  GENERATE_PROTOCOL,
  kadOptions,
  MAX_FRAME_BYTES,
  modelCid,
  nameCid,
  openCard,
  PotluckError,
  signCard,
  type Card,
  type EmbedReply,
  type EmbedRequest,
  type Load,
  type ModelCard
} from '@potluck/protocol'
import { createLibp2p } from 'libp2p'

import type { KnownNode } from '../../../client/discover/known-node.ts'
import type { Network } from '../../../client/network/network.ts'
import { embeddingsOf } from '../../scripted-engine/model.ts'
import { IDLE, model } from '../../unit/select/help.ts'
import { WAIT } from '../../peers/answer-stream.ts'
import { testCard } from '../../peers/card.ts'
import { sayHello, Script } from './script.ts'

export interface FakeNodeOptions {
  models?: readonly ModelCard[]
  bootstrap?: string
  card?: Partial<Card>
  load?: Load
}

export class FakeNode {
  readonly libp2p: Libp2p
  /** What the node does with a request. A test can replace it. */
  serve: (script: Script) => Promise<void> = sayHello
  /** The reply of the node to an embeddings request. A test can replace it. */
  embed: (request: EmbedRequest) => Promise<EmbedReply> = async ({ texts }) => ({
    type: 'result',
    result: embeddingsOf(texts, 1_000)
  })
  /** If set, the bytes that the node sends in place of its card. */
  reply: (() => Promise<Uint8Array>) | undefined
  readonly requests: Script[] = []
  readonly embedRequests: EmbedRequest[] = []
  cardsGiven = 0
  /** Cards of other nodes that the node sends with its own. */
  others: Uint8Array[] = []
  load: Load
  readonly #key: PrivateKey
  readonly #card: Partial<Card>
  readonly #models: readonly ModelCard[]

  private constructor(
    libp2p: Libp2p,
    key: PrivateKey,
    { models = [model()], card = {}, load = IDLE }: FakeNodeOptions
  ) {
    this.libp2p = libp2p
    this.#key = key
    this.#card = card
    this.#models = models
    this.load = load
  }

  static async start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const key = await generateKeyPair('Ed25519')
    const libp2p = await startPeer(key)
    const node = new FakeNode(libp2p, key, options)
    const handle = async (
      protocol: string,
      serve: (frames: FrameStream) => Promise<void>,
      maxFrameBytes = MAX_FRAME_BYTES
    ): Promise<void> =>
      await libp2p.handle(protocol, async (stream) => await serve(new FrameStream(stream, { maxFrameBytes })))
    await handle(CARD_PROTOCOL, async (frames) => await node.#giveCard(frames), 64)
    await handle(GENERATE_PROTOCOL, async (frames) => await node.#generate(frames))
    await handle(EMBED_PROTOCOL, async (frames) => await node.#embed(frames))
    if (options.bootstrap !== undefined) await node.join(options.bootstrap)
    return node
  }

  get address(): string {
    return (
      this.libp2p
        .getMultiaddrs()
        .map(String)
        .find((address) => address.includes('127.0.0.1')) ?? ''
    )
  }

  get peer(): string {
    return this.libp2p.peerId.toString()
  }

  async join(bootstrap: string): Promise<void> {
    await connectTo(this.libp2p, bootstrap)
    const cids = [anyNodeCid(), ...this.#models.flatMap(({ digest, name }) => [modelCid(digest), nameCid(name)])]
    for (const cid of cids) await this.libp2p.contentRouting.provide(cid)
  }

  async card(changes: Partial<Card> = {}): Promise<Uint8Array> {
    const { peerId } = this.libp2p
    const own = { addresses: this.libp2p.getMultiaddrs().map(String), models: this.#models, slots: IDLE.slots }
    return await signCard(testCard(peerId, { ...own, ...this.#card, ...changes }), this.#key)
  }

  async cardReply(): Promise<Uint8Array> {
    return encodeCardReply({ own: { card: await this.card(), load: this.load }, others: this.others })
  }

  /** Returns what a directory knows about the node just after it received the node's card. */
  async known(): Promise<KnownNode> {
    const now = Date.now()
    const card = await openCard(await this.card(), { now })
    return { card, load: this.load, loadAt: now, roundTripMs: 1, seenAt: now }
  }

  async stop(): Promise<void> {
    await this.libp2p.stop()
  }

  async #giveCard(frames: FrameStream): Promise<void> {
    this.cardsGiven++
    await frames.send(this.reply === undefined ? await this.cardReply() : await this.reply(), WAIT)
    await frames.close()
  }

  async #generate(frames: FrameStream): Promise<void> {
    const bytes = await frames.receive(WAIT)
    if (bytes === undefined) return
    const frame = decodeClientFrame(bytes)
    if (frame.type !== 'request') return
    const script = new Script(frames, frame, this.#key)
    this.requests.push(script)
    await this.serve(script)
  }

  async #embed(frames: FrameStream): Promise<void> {
    const bytes = await frames.receive(WAIT)
    if (bytes === undefined) return
    const request = decodeEmbedRequest(bytes)
    this.embedRequests.push(request)
    await frames.send(encodeEmbedReply(await this.embed(request)), WAIT)
    await frames.close()
  }
}

/** Starts a peer of the DHT that serves no model. */
export async function startPeer(key?: PrivateKey, connectionGater: ConnectionGater = {}): Promise<Libp2p> {
  return await createLibp2p({
    ...(key === undefined ? {} : { privateKey: key }),
    connectionGater,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 1000 },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ ...kadOptions({ scope: 'local' }), allowQueryWithZeroPeers: true })
    }
  })
}

/** The network as a plain object, so that a test can replace a method. */
export function plain(network: Network): Network {
  return {
    entrances: network.entrances,
    connect: async (...args) => await network.connect(...args),
    abortSilent: async (...args) => await network.abortSilent(...args),
    entries: (...args) => network.entries(...args),
    servers: async () => await network.servers(),
    askKad: async (...args) => await network.askKad(...args),
    askCard: async (...args) => await network.askCard(...args),
    cardRecord: async (...args) => await network.cardRecord(...args),
    proofRecord: async (...args) => await network.proofRecord(...args),
    putProof: async (...args) => await network.putProof(...args),
    stop: async () => await network.stop()
  }
}

/** Returns the failure of a promise that must fail. */
export async function failureOf(promise: Promise<unknown>): Promise<PotluckError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason
  )
  if (!(error instanceof PotluckError)) throw new Error('there was no PotluckError', { cause: error })
  return error
}

/** Resolves when the peers are in each other's routing tables, so that provider records are stored there. */
async function connectTo(libp2p: Libp2p, address: string): Promise<void> {
  const joined = new Promise<void>((resolve) => {
    libp2p.addEventListener('peer:update', ({ detail }) => {
      if (detail.peer.tags.has('kad-peer')) resolve()
    })
  })
  await libp2p.dial(multiaddr(address))
  await joined
}
