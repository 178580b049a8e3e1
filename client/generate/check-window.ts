/** Checks the partial receipts of a node: it must sign each window of the answer in the delta that completes it. */
import type { PeerId } from '@libp2p/interface'
import {
  openPartialReceipt,
  PotluckError,
  WindowChain,
  type AnswerRecord,
  type GenerateRequest
} from '@potluck/protocol'
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

  /**
   * Adds the tokens of a delta.
   *
   * @param answerTokens the whole answer so far, with these tokens
   * @returns the part of the answer that the node has signed; undefined if the delta completes no window
   * @throws PotluckError `protocol_violation` if the delta lacks a correct partial receipt, or has one too many
   */
  async add(
    tokens: readonly number[],
    partialReceipt: Uint8Array | undefined,
    answerTokens: readonly number[]
  ): Promise<AnswerRecord | undefined> {
    const completed = this.#chain.add(tokens)
    expect('presence', completed === (partialReceipt !== undefined))
    if (partialReceipt === undefined) return undefined
    const receipt = await openPartialReceipt(partialReceipt, { peerId: this.#peerId })
    expect('requestDigest', equals(receipt.requestDigest, this.#sent.digest))
    expect('firstPosition', receipt.firstPosition === this.#firstPosition)
    expect('tokens', receipt.tokens === this.#chain.tokens)
    expect('digest', equals(receipt.digest, this.#chain.digest))
    const { bytes, promptTokens } = this.#sent
    const signed = answerTokens.slice(0, this.#firstPosition + receipt.tokens)
    return { request: bytes, promptTokens, answerTokens: signed, receipt: partialReceipt }
  }
}

function expect(name: string, agrees: boolean): void {
  if (!agrees) throw new PotluckError('protocol_violation', `partialReceipt.${name} does not agree with the answer`)
}
