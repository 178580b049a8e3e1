/**
 * Keeps what a node signs of its answer: it must send a signature in each delta that completes a window. Only the last
 * signature matters, because each covers all windows before it, and only if the node fails, because the receipt in `done`
 * covers the whole answer. So the client verifies one signature at most.
 */
import type { PeerId } from '@libp2p/interface'
import {
  joinPartialReceipt,
  openPartialReceipt,
  PotluckError,
  RECEIPT_WINDOW,
  WindowChain,
  type AnswerRecord,
  type GenerateRequest
} from '@potluck/protocol'

export interface SignedRequest {
  request: GenerateRequest
  /** The request's frame, and its SHA-256. */
  bytes: Uint8Array
  digest: Uint8Array
  promptTokens: readonly number[]
  /** Version of the node's rendering. */
  rendering: number
}

export class SignedWindows {
  readonly #sent: SignedRequest
  readonly #peerId: PeerId
  /** Tokens of the node so far. */
  #tokens = 0
  /** The last signature, and how many tokens of the node it covers. */
  #last: { signature: Uint8Array; tokens: number } | undefined

  /** @param peerId the node that generates the answer */
  constructor(sent: SignedRequest, peerId: PeerId) {
    this.#sent = sent
    this.#peerId = peerId
  }

  /**
   * Adds the tokens of a delta.
   *
   * @param signature of the windows so far
   * @throws PotluckError `protocol_violation` if the delta lacks the signature, or has one too many
   */
  add(tokens: number, signature: Uint8Array | undefined): void {
    const before = this.#tokens
    this.#tokens += tokens
    const complete = this.#tokens - (this.#tokens % RECEIPT_WINDOW)
    if ((signature !== undefined) !== complete > before) {
      throw new PotluckError('protocol_violation', 'windowSignature does not agree with the number of tokens')
    }
    if (signature !== undefined) this.#last = { signature, tokens: complete }
  }

  /**
   * Returns the part of the answer that the node has signed. Undefined if it has signed nothing.
   *
   * @param answerTokens the whole answer so far
   * @throws PotluckError `protocol_violation` if the signature is not that of these tokens
   */
  async signed(answerTokens: readonly number[]): Promise<AnswerRecord | undefined> {
    if (this.#last === undefined) return undefined
    const { request, bytes, digest: requestDigest, promptTokens, rendering } = this.#sent
    const { signature, tokens } = this.#last
    const firstPosition = request.continuation?.answerTokens.length ?? 0
    const windows = answerTokens.slice(0, firstPosition + tokens)
    const chain = new WindowChain(promptTokens)
    chain.add(windows.slice(firstPosition))
    const { digest } = chain
    const partial = { requestDigest, firstPosition, tokens, digest, rendering }
    const receipt = joinPartialReceipt(partial, this.#peerId, signature)
    await openPartialReceipt(receipt, { peerId: this.#peerId })
    return { request: bytes, promptTokens, answerTokens: windows, receipt }
  }
}
