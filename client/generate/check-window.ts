/** Checks the partial receipts of a node: it must sign each window of the answer in the delta that completes it. */
import type { PeerId } from '@libp2p/interface'
import {
  FINGERPRINT_BYTES,
  openPartialReceipt,
  PotluckError,
  WindowChain,
  type AnswerRecord,
  type GenerateRequest,
  type SignedWindow
} from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import { equals } from 'uint8arrays/equals'

export interface SignedRequest {
  request: GenerateRequest
  /** The request's frame, and its SHA-256. */
  bytes: Uint8Array
  digest: Uint8Array
  promptTokens: readonly number[]
}

export class SignedWindows {
  readonly #sent: SignedRequest
  readonly #peerId: PeerId
  readonly #chain: WindowChain
  readonly #firstPosition: number

  /** @param peerId the node that generates the answer */
  constructor(sent: SignedRequest, peerId: PeerId) {
    this.#sent = sent
    this.#peerId = peerId
    this.#chain = new WindowChain(sent.promptTokens)
    this.#firstPosition = sent.request.continuation?.answerTokens.length ?? 0
  }

  /** The fingerprints of all tokens, if those of the last incomplete window came with `done`. */
  finish(rest: Uint8Array, answerTokens: number): Uint8Array {
    const fingerprints = concat([this.#chain.fingerprints(), rest])
    expect('fingerprints', fingerprints.byteLength === (answerTokens - this.#firstPosition) * FINGERPRINT_BYTES)
    return fingerprints
  }

  /**
   * Adds the tokens of a delta.
   *
   * @param window the node's signature and fingerprints
   * @param answerTokens the whole answer so far, with these tokens
   * @returns the part of the answer that the node has signed; undefined if the delta completes no window
   * @throws PotluckError `protocol_violation` if the delta lacks a correct partial receipt, or has one too many
   */
  async add(
    tokens: readonly number[],
    window: SignedWindow | undefined,
    answerTokens: readonly number[]
  ): Promise<AnswerRecord | undefined> {
    const bytes = this.#chain.completedBy(tokens.length)
    expect('presence', bytes > 0 === (window !== undefined))
    expect('fingerprints', bytes === (window?.fingerprints.byteLength ?? 0))
    this.#chain.add(tokens, window?.fingerprints ?? new Uint8Array())
    if (window === undefined) return undefined
    const { partialReceipt } = window
    const receipt = await openPartialReceipt(partialReceipt, { peerId: this.#peerId })
    expect('requestDigest', equals(receipt.requestDigest, this.#sent.digest))
    expect('firstPosition', receipt.firstPosition === this.#firstPosition)
    expect('tokens', receipt.tokens === this.#chain.tokens)
    expect('digest', equals(receipt.digest, this.#chain.digest))
    const { bytes: request, promptTokens } = this.#sent
    const signed = answerTokens.slice(0, this.#firstPosition + receipt.tokens)
    const fingerprints = this.#chain.fingerprints()
    return { request, promptTokens, answerTokens: signed, receipt: partialReceipt, fingerprints }
  }
}

function expect(name: string, agrees: boolean): void {
  if (!agrees) throw new PotluckError('protocol_violation', `partialReceipt.${name} does not agree with the answer`)
}
