/** The node's side of one request, which a test writes by hand. */
import { sha256 } from '@noble/hashes/sha2.js'
import type { PrivateKey } from '@libp2p/interface'
import {
  answerWindows,
  ContentDigest,
  decodeClientFrame,
  encodeNodeFrame,
  RENDERING,
  SAMPLING_CONTRACT,
  signPartialReceipt,
  signReceipt,
  tokensDigest,
  tokensToCheck,
  WindowChain,
  type ErrorCode,
  type FrameStream,
  type GenerateRequest,
  type NodeFrame,
  type PartialReceipt,
  type Receipt,
  type TokenMargin,
  FINGERPRINT_BYTES
} from '@potluck/protocol'

import { IDLE } from '../../unit/select/help.ts'

export const PROMPT_TOKENS: readonly number[] = [1, 2, 3]
/** Far longer than a busy machine needs. */
export const WAIT = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const

/** The text of each token that any node has sent. A node that continues an answer knows it from the model. */
const TEXTS = new Map<number, string>()

export class Script {
  readonly frames: FrameStream
  readonly request: GenerateRequest
  readonly digest: Uint8Array
  readonly #key: PrivateKey
  readonly #answer: number[]
  readonly #windows = new WindowChain(PROMPT_TOKENS)
  readonly #content = new ContentDigest()

  constructor(frames: FrameStream, request: GenerateRequest, digest: Uint8Array, key: PrivateKey) {
    this.frames = frames
    this.request = request
    this.digest = digest
    this.#key = key
    this.#answer = [...(request.continuation?.answerTokens ?? [])]
  }

  async send(frame: NodeFrame): Promise<void> {
    await this.frames.send(encodeNodeFrame(frame), WAIT)
  }

  /** @param margin of every token of an earlier node that the client asks to check */
  async accept(estimatedWaitMs = 0, margin = 0): Promise<void> {
    await this.send({ type: 'accepted', promptTokens: PROMPT_TOKENS, queuePosition: 0, estimatedWaitMs, load: IDLE })
    const checked = tokensToCheck(this.request.continuation)
    const measured = Array.from({ length: checked }, (): TokenMargin => ({ margin, gap: 5 }))
    if (checked > 0) await this.send({ type: 'checked', measured })
  }

  /** @param changes to the partial receipt of a delta that completes a window; false: the delta has none */
  async delta(
    text: string,
    tokens: readonly number[] = [this.#answer.length + 10],
    changes: Partial<PartialReceipt> | false = {}
  ): Promise<void> {
    tokens.forEach((token, index) => TEXTS.set(token, index === 0 ? text : ''))
    this.#answer.push(...tokens)
    this.#content.add({ text })
    const fingerprints = this.#windows.add(tokens, new Uint8Array(tokens.length * FINGERPRINT_BYTES))
    const signed =
      fingerprints !== undefined && changes !== false
        ? { window: { partialReceipt: await this.partialReceipt(changes), fingerprints } }
        : {}
    await this.send({ type: 'delta', delta: { tokens, text }, ...signed })
  }

  async partialReceipt(changes: Partial<PartialReceipt> = {}): Promise<Uint8Array> {
    const { tokens, digest } = this.#windows
    const firstPosition = this.request.continuation?.answerTokens.length ?? 0
    const receipt = { requestDigest: this.digest, firstPosition, tokens, digest, rendering: RENDERING, ...changes }
    return await signPartialReceipt(receipt, this.#key)
  }

  async error(code: ErrorCode, retryAfterMs?: number): Promise<void> {
    const body = { type: 'error', code, detail: `said ${code}` } as Extract<NodeFrame, { type: 'error' }>
    await this.send(retryAfterMs === undefined ? body : { ...body, retryAfterMs })
    await this.frames.close()
  }

  /** Returns the tokens that the next credit frame grants. */
  async credit(): Promise<number> {
    const bytes = await this.frames.receive(WAIT)
    if (bytes === undefined) throw new Error('the client ended its side of the stream')
    const frame = decodeClientFrame(bytes)
    return frame.type === 'credit' ? frame.tokens : 0
  }

  /** Ends the answer as an honest node does, or with these changes. */
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
        rendering: RENDERING,
        contentDigest: this.#content.digest(),
        fingerprintDigest: sha256(this.#windows.fingerprints()),
        ...(this.request.continuation === undefined ? {} : { answerContentDigest: this.#wholeContent() }),
        ...changes.receipt
      },
      changes.key ?? this.#key
    )
    await this.send({
      type: 'done',
      finishReason: 'stop',
      usage,
      timings,
      load: IDLE,
      receipt,
      fingerprints: this.#windows.rest
    })
    await this.frames.close()
  }

  #wholeContent(): Uint8Array {
    const whole = new ContentDigest()
    whole.add({ text: this.#answer.map((token) => TEXTS.get(token) ?? '').join('') })
    return whole.digest()
  }
}

/** An honest node's answer of two tokens. */
export async function sayHello(script: Script): Promise<void> {
  await script.accept()
  await script.delta('Hel')
  await script.delta('lo')
  await script.done()
}
