/**
 * Keeps what a node signs of its answer. In each delta that completes a window, the node must send a signature and the
 * fingerprints of the window. Only the last signature matters, because each one covers all windows before it. It
 * matters only if the node fails, because the receipt in `done` covers the whole answer. So the client verifies at most
 * one.
 */
import type { PeerId } from '@libp2p/interface'
import {
  FINGERPRINT_BYTES,
  joinPartialReceipt,
  openPartialReceipt,
  PotluckError,
  RECEIPT_WINDOW,
  WindowChain,
  type AnswerRecord,
  type GenerateRequest,
  type SignedWindow
} from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'

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
  /** The fingerprints of the complete windows. */
  readonly #fingerprints: Uint8Array[] = []
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
   * @param window the signature and the fingerprints of the windows that the delta completes
   * @throws PotluckError `protocol_violation` if the delta lacks it, or has it too early
   */
  add(tokens: number, window: SignedWindow | undefined): void {
    const before = completeTokens(this.#tokens)
    this.#tokens += tokens
    const complete = completeTokens(this.#tokens)
    const bytes = (complete - before) * FINGERPRINT_BYTES
    if ((window !== undefined) !== bytes > 0 || (window?.fingerprints.byteLength ?? 0) !== bytes) {
      throw new PotluckError('protocol_violation', 'a signed window does not agree with the number of tokens')
    }
    if (window === undefined) return
    this.#fingerprints.push(window.fingerprints)
    this.#last = { signature: window.signature, tokens: complete }
  }

  /**
   * Returns the fingerprints of all tokens of the node.
   *
   * @param rest those of the tokens after the last complete window, which come with `done`
   * @throws PotluckError `protocol_violation` if the number of fingerprints is not that of the tokens
   */
  finish(rest: Uint8Array): Uint8Array {
    const fingerprints = concat([...this.#fingerprints, rest])
    if (fingerprints.byteLength !== this.#tokens * FINGERPRINT_BYTES) {
      throw new PotluckError('protocol_violation', 'done.fingerprints do not agree with the number of tokens')
    }
    return fingerprints
  }

  /**
   * Returns the part of the answer that the node has signed. Undefined if it has signed nothing.
   *
   * @param answerTokens the whole answer so far
   * @throws PotluckError `protocol_violation` if the signature is not that of these tokens and fingerprints
   */
  async signed(answerTokens: readonly number[]): Promise<AnswerRecord | undefined> {
    if (this.#last === undefined) return undefined
    const { request, bytes, digest: requestDigest, promptTokens, rendering } = this.#sent
    const { signature, tokens } = this.#last
    const firstPosition = request.continuation?.answerTokens.length ?? 0
    const windows = answerTokens.slice(0, firstPosition + tokens)
    const fingerprints = concat(this.#fingerprints)
    const chain = new WindowChain(promptTokens)
    chain.add(windows.slice(firstPosition), fingerprints)
    const { digest } = chain
    const partial = { requestDigest, firstPosition, tokens, digest, rendering }
    const receipt = joinPartialReceipt(partial, this.#peerId, signature)
    await openPartialReceipt(receipt, { peerId: this.#peerId })
    return { request: bytes, promptTokens, answerTokens: windows, fingerprints, receipt }
  }
}

/** The tokens in complete windows. */
function completeTokens(tokens: number): number {
  return tokens - (tokens % RECEIPT_WINDOW)
}
