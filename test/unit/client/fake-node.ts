/** A node that says what a test wants it to say, over real libp2p, with a relay that leads to it. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import {
  answerWindows,
  anyNodeCid,
  CARD_PROTOCOL,
  CARD_TTL_MS,
  decodeClientFrame,
  encodeCardReply,
  encodeNodeFrame,
  FrameStream,
  GENERATE_PROTOCOL,
  kadOptions,
  MAX_FRAME_BYTES,
  modelCid,
  nameCid,
  SAMPLING_CONTRACT,
  signCard,
  signReceipt,
  tokensDigest,
  type Card,
  type ErrorCode,
  type GenerateRequest,
  type Load,
  type ModelCard,
  type NodeFrame,
  type Receipt
} from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

export const IDLE: Load = { active: 0, queued: 0, slots: 2, estimatedWaitMs: 0 }
export const PROMPT_TOKENS: readonly number[] = [1, 2, 3]

export function model(overrides: Partial<ModelCard> = {}): ModelCard {
  return {
    digest: new Uint8Array(32).fill(7),
    name: 'test/model:Q8_0',
    architecture: 'llama',
    parameters: 1_000_000,
    quantization: 'Q8_0',
    contextLength: 4096,
    features: ['chat', 'completion', 'logprobs'],
    prefillTokensPerSecond: 1000,
    decodeTokensPerSecond: 100,
    sizeBytes: 1_000_000,
    ...overrides
  }
}

/** The node's side of one request. */
export class Script {
  readonly frames: FrameStream
  readonly request: GenerateRequest
  readonly digest: Uint8Array
  readonly #key: PrivateKey
  readonly #answer: number[]

  constructor(frames: FrameStream, request: GenerateRequest, digest: Uint8Array, key: PrivateKey) {
    this.frames = frames
    this.request = request
    this.digest = digest
    this.#key = key
    this.#answer = [...(request.continuation?.answerTokens ?? [])]
  }

  async send(frame: NodeFrame): Promise<void> {
    await this.frames.send(encodeNodeFrame(frame), { timeoutMs: 20_000, timeoutCode: 'token_timeout' })
  }

  async accept(estimatedWaitMs = 0): Promise<void> {
    await this.send({ type: 'accepted', promptTokens: PROMPT_TOKENS, queuePosition: 0, estimatedWaitMs, load: IDLE })
  }

  async delta(text: string, tokens: readonly number[] = [this.#answer.length + 10]): Promise<void> {
    this.#answer.push(...tokens)
    await this.send({ type: 'delta', delta: { tokens, text } })
  }

  async error(code: ErrorCode, retryAfterMs?: number): Promise<void> {
    const body = { type: 'error', code, detail: `said ${code}` } as Extract<NodeFrame, { type: 'error' }>
    await this.send(retryAfterMs === undefined ? body : { ...body, retryAfterMs })
    await this.frames.close()
  }

  /** Tokens granted by the next credit frame. */
  async credit(): Promise<number> {
    const bytes = await this.frames.receive({ timeoutMs: 20_000, timeoutCode: 'token_timeout' })
    if (bytes === undefined) throw new Error('no credit came')
    const frame = decodeClientFrame(bytes)
    return frame.type === 'credit' ? frame.tokens : 0
  }

  /** The honest end, or one that is changed in some place. */
  async done(changes: { receipt?: Partial<Receipt>; completionTokens?: number; key?: PrivateKey } = {}): Promise<void> {
    const usage = {
      promptTokens: PROMPT_TOKENS.length,
      cachedTokens: 0,
      completionTokens: changes.completionTokens ?? this.#answer.length
    }
    const timings = { queueMs: 0, prefillMs: 1, decodeMs: 1 }
    const receipt = await signReceipt(
      {
        requestId: this.request.requestId,
        requestDigest: this.digest,
        modelDigest: this.request.modelDigest,
        contract: SAMPLING_CONTRACT,
        promptDigest: tokensDigest(PROMPT_TOKENS),
        promptTokens: PROMPT_TOKENS.length,
        answerWindows: answerWindows(this.#answer),
        answerTokens: this.#answer.length,
        firstPosition: this.request.continuation?.answerTokens.length ?? 0,
        finishReason: 'stop',
        backend: { accelerator: 'cpu', engine: 'fake/1', kvType: 'f16', flashAttention: false },
        usage,
        timings,
        issuedAt: Date.now(),
        ...changes.receipt
      },
      changes.key ?? this.#key
    )
    await this.send({ type: 'done', finishReason: 'stop', usage, timings, load: IDLE, receipt })
    await this.frames.close()
  }
}

/** An answer of a few words, as an honest node gives it. */
export async function sayHello(script: Script): Promise<void> {
  await script.accept()
  await script.delta('Hel')
  await script.delta('lo')
  await script.done()
}

export interface FakeNodeOptions {
  models?: readonly ModelCard[]
  bootstrap?: string
  card?: Partial<Card>
  load?: Load
}

export class FakeNode {
  readonly libp2p: Libp2p
  /** What happens to the next requests; may be replaced. */
  serve: (script: Script) => Promise<void> = sayHello
  /** Set to answer the card protocol with other bytes. */
  reply: (() => Promise<Uint8Array>) | undefined
  readonly requests: Script[] = []
  cardsGiven = 0
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
    await libp2p.handle(
      CARD_PROTOCOL,
      async (stream) => await node.#giveCard(new FrameStream(stream, { maxFrameBytes: 64 }))
    )
    await libp2p.handle(
      GENERATE_PROTOCOL,
      async (stream) => await node.#generate(new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES }))
    )
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
    const now = Date.now()
    return await signCard(
      {
        peerId: this.libp2p.peerId,
        sequence: now,
        expiresAt: now + CARD_TTL_MS,
        addresses: this.libp2p.getMultiaddrs().map(String),
        models: this.#models,
        hardware: { accelerator: 'cpu', device: 'test', vramBytes: 0, ramBytes: 1, cores: 1, os: 'linux x64' },
        slots: 2,
        engine: 'fake/1',
        contract: SAMPLING_CONTRACT,
        agent: 'fake/1',
        draining: false,
        ...this.#card,
        ...changes
      },
      this.#key
    )
  }

  async cardReply(): Promise<Uint8Array> {
    return encodeCardReply({ card: await this.card(), load: this.load })
  }

  async stop(): Promise<void> {
    await this.libp2p.stop()
  }

  async #giveCard(frames: FrameStream): Promise<void> {
    this.cardsGiven++
    const bytes = this.reply === undefined ? await this.cardReply() : await this.reply()
    await frames.send(bytes, { timeoutMs: 20_000, timeoutCode: 'token_timeout' })
    await frames.close()
  }

  async #generate(frames: FrameStream): Promise<void> {
    const bytes = await frames.receive({ timeoutMs: 20_000, timeoutCode: 'request_timeout' })
    if (bytes === undefined) return
    const frame = decodeClientFrame(bytes)
    if (frame.type !== 'request') return
    const script = new Script(frames, frame.request, frame.digest, this.#key)
    this.requests.push(script)
    await this.serve(script)
  }
}

/** A peer of the DHT that serves no model. */
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

/** Resolves when both peers stand in each other's routing tables, so that what is provided is stored there. */
async function connectTo(libp2p: Libp2p, address: string): Promise<void> {
  const joined = new Promise<void>((resolve) => {
    libp2p.addEventListener('peer:update', ({ detail }) => {
      if (detail.peer.tags.has('kad-peer')) resolve()
    })
  })
  await libp2p.dial(multiaddr(address))
  await joined
}
