/** A node of the attacker: a real libp2p peer with a valid card. The attack writes its side of every answer. */
import { sha256 } from '@noble/hashes/sha2.js'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import {
  answerWindows,
  ContentDigest,
  CARD_PROTOCOL,
  CARD_TTL_MS,
  decodeClientFrame,
  encodeCardReply,
  encodeNodeFrame,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_FRAME_BYTES,
  RENDERING,
  SAMPLING_CONTRACT,
  signCard,
  signPartialReceipt,
  signReceipt,
  tokensDigest,
  tokensToCheck,
  WindowChain,
  type FinishReason,
  type GenerateRequest,
  type Load,
  type ModelCard,
  type NodeFrame,
  type Receipt,
  FINGERPRINT_BYTES
} from '@potluck/protocol'
import type { Libp2p } from '@libp2p/interface'

import type { Engine } from '../../node/engine/interface.ts'
import type { AttackedNetwork } from './network.ts'

const WAIT = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const
const LOAD: Load = { active: 0, queued: 0, slots: 4, estimatedWaitMs: 0 }

export interface MaliciousNode {
  libp2p: Libp2p
  peer: string
  address: string
}

/**
 * @param serve what the node does with each request, after it read the request
 * @param listen default: any port of loopback
 */
export async function maliciousNode(
  network: AttackedNetwork,
  { model }: Pick<Engine, 'model'>,
  serve: (call: MaliciousCall) => Promise<void>,
  listen?: string[]
): Promise<MaliciousNode> {
  const key = await generateKeyPair('Ed25519')
  const libp2p = await network.peer({
    privateKey: key,
    ...(listen === undefined ? {} : { addresses: { listen, announce: listen } })
  })
  // It claims to be fast, so that clients ask it early.
  const served: ModelCard = { ...model, prefillTokensPerSecond: 9e6, decodeTokensPerSecond: 9e6 }
  await libp2p.handle(CARD_PROTOCOL, async (stream) => {
    const frames = new FrameStream(stream, { maxFrameBytes: 64 })
    await frames.send(
      encodeCardReply({ own: { card: await cardOf(libp2p, key, served), load: LOAD }, others: [] }),
      WAIT
    )
    await frames.close()
  })
  await libp2p.handle(GENERATE_PROTOCOL, async (stream) => {
    const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
    const received = await frames.receive(WAIT)
    const frame = received === undefined ? undefined : decodeClientFrame(received)
    // A client that asks another node at the same time can reset the stream at any time.
    if (frame?.type === 'request') await serve(new MaliciousCall(frames, frame, key)).catch(() => undefined)
  })
  const [address] = libp2p.getMultiaddrs()
  return { libp2p, peer: libp2p.peerId.toString(), address: String(address) }
}

async function cardOf(libp2p: Libp2p, key: PrivateKey, model: ModelCard): Promise<Uint8Array> {
  const now = Date.now()
  return await signCard(
    {
      peerId: libp2p.peerId,
      sequence: now,
      expiresAt: now + CARD_TTL_MS,
      addresses: libp2p.getMultiaddrs().map(String),
      models: [model],
      hardware: { accelerator: 'cpu', device: 'test', vramBytes: 0, ramBytes: 1, cores: 1, os: 'linux x64' },
      slots: LOAD.slots,
      engine: 'scripted/1',
      contract: SAMPLING_CONTRACT,
      agent: 'potluck/0.1.0',
      draining: false
    },
    key
  )
}

/** One request to the malicious node. */
export class MaliciousCall {
  readonly request: GenerateRequest
  readonly #frames: FrameStream
  readonly #digest: Uint8Array
  readonly #key: PrivateKey
  readonly #answer: number[]
  #prompt: readonly number[] = []
  #windows = new WindowChain([])
  readonly #content = new ContentDigest()

  constructor(frames: FrameStream, received: { request: GenerateRequest; digest: Uint8Array }, key: PrivateKey) {
    this.request = received.request
    this.#frames = frames
    this.#digest = received.digest
    this.#key = key
    this.#answer = [...(received.request.continuation?.answerTokens ?? [])]
  }

  async accept(promptTokens: readonly number[]): Promise<void> {
    this.#prompt = promptTokens
    this.#windows = new WindowChain(promptTokens)
    await this.#send({ type: 'accepted', promptTokens, queuePosition: 0, estimatedWaitMs: 0, load: LOAD })
  }

  /** Claims that every token to check has this margin. */
  async checked(margin: number): Promise<void> {
    const measured = Array.from({ length: tokensToCheck(this.request.continuation) }, () => ({ margin, gap: 5 }))
    if (measured.length > 0) await this.#send({ type: 'checked', measured })
  }

  /** Sends tokens in one delta, and signs the windows that they complete, as every node must. */
  async delta(tokens: readonly number[], text: string): Promise<void> {
    this.#answer.push(...tokens)
    this.#content.add({ text })
    const fingerprints = this.#windows.add(tokens, new Uint8Array(tokens.length * FINGERPRINT_BYTES))
    const window =
      fingerprints === undefined ? {} : { window: { partialReceipt: await this.#partialReceipt(), fingerprints } }
    await this.#send({ type: 'delta', delta: { tokens, text }, ...window })
  }

  async error(code: Extract<NodeFrame, { type: 'error' }>['code']): Promise<void> {
    await this.#send({ type: 'error', code, detail: '' })
    await this.#frames.close()
  }

  /** Ends the stream without a terminal frame. */
  async cut(): Promise<void> {
    await this.#frames.close()
  }

  async done(finishReason: FinishReason, changes: Partial<Receipt> = {}): Promise<void> {
    const completionTokens = this.#answer.length
    const usage = { promptTokens: this.#prompt.length, cachedTokens: 0, completionTokens }
    const timings = { queueMs: 0, prefillMs: 1, decodeMs: 1 }
    const receipt = await signReceipt(
      {
        requestId: this.request.requestId,
        requestDigest: this.#digest,
        modelDigest: this.request.modelDigest,
        contract: SAMPLING_CONTRACT,
        promptDigest: tokensDigest(this.#prompt),
        promptTokens: this.#prompt.length,
        answerWindows: answerWindows(this.#answer),
        answerTokens: completionTokens,
        firstPosition: this.#firstPosition,
        finishReason,
        backend: { accelerator: 'cpu', engine: 'scripted/1', kvType: 'f16/f16', flashAttention: false },
        usage,
        timings,
        issuedAt: Date.now(),
        rendering: RENDERING,
        contentDigest: this.#content.digest(),
        fingerprintDigest: sha256(this.#windows.fingerprints()),
        ...changes
      },
      this.#key
    )
    await this.#send({
      type: 'done',
      finishReason,
      usage,
      timings,
      load: LOAD,
      receipt,
      fingerprints: this.#windows.rest
    })
    await this.#frames.close()
  }

  get #firstPosition(): number {
    return this.request.continuation?.answerTokens.length ?? 0
  }

  async #partialReceipt(): Promise<Uint8Array> {
    const { tokens, digest } = this.#windows
    const signed = { requestDigest: this.#digest, firstPosition: this.#firstPosition, tokens, digest }
    return await signPartialReceipt({ ...signed, rendering: RENDERING }, this.#key)
  }

  async #send(frame: NodeFrame): Promise<void> {
    await this.#frames.send(encodeNodeFrame(frame), WAIT)
  }
}
