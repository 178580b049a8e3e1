/**
 * Checks that a `done` frame agrees with the request and with what arrived. In its receipt the node signs the counts,
 * hashes of the token ids, and digests of all content that it sent. What the caller gets and an auditor can check is
 * signed: see "What the caller gets" in docs/security.md.
 */
import type { PeerId } from '@libp2p/interface'
import {
  answerWindows,
  openReceipt,
  PotluckError,
  SAMPLING_CONTRACT,
  tokensDigest,
  type GenerateRequest,
  type NodeFrame,
  type Receipt,
  type Timings,
  type Usage
} from '@potluck/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { equals } from 'uint8arrays/equals'

import type { ReceivedContent } from './received-content.ts'

export interface AnswerSoFar {
  request: GenerateRequest
  /** SHA-256 of the request's frame. */
  digest: Uint8Array
  promptTokens: readonly number[]
  /** All tokens of the answer, including the tokens that other nodes generated before. */
  answerTokens: readonly number[]
  /** All fingerprints that this node sent. */
  fingerprints: Uint8Array
  /** What this node sent besides the ids. */
  content: ReceivedContent
}

/** @throws PotluckError `protocol_violation`, which names the value that does not agree */
export async function checkDone(
  done: Extract<NodeFrame, { type: 'done' }>,
  { request, digest, promptTokens, answerTokens, fingerprints, content }: AnswerSoFar,
  peerId: PeerId
): Promise<Receipt> {
  const { usage, timings } = done
  expect('usage.promptTokens', usage.promptTokens === promptTokens.length)
  expect('usage.completionTokens', usage.completionTokens === answerTokens.length)
  const receipt = await openReceipt(done.receipt, { peerId })
  expect('receipt.requestId', equals(receipt.requestId, request.requestId))
  expect('receipt.requestDigest', equals(receipt.requestDigest, digest))
  expect('receipt.modelDigest', equals(receipt.modelDigest, request.modelDigest))
  expect('receipt.contract', receipt.contract === SAMPLING_CONTRACT)
  expect('receipt.promptTokens', receipt.promptTokens === promptTokens.length)
  expect('receipt.promptDigest', equals(receipt.promptDigest, tokensDigest(promptTokens)))
  expect('receipt.answerTokens', receipt.answerTokens === answerTokens.length)
  const windows = answerWindows(answerTokens)
  expect(
    'receipt.answerWindows',
    receipt.answerWindows.every((window, index) => equals(window, windows[index]!))
  )
  expect('receipt.firstPosition', receipt.firstPosition === (request.continuation?.answerTokens.length ?? 0))
  expect('receipt.finishReason', receipt.finishReason === done.finishReason)
  expect('receipt.usage', agree(receipt.usage, usage))
  expect('receipt.timings', agree(receipt.timings, timings))
  expect('receipt.fingerprintDigest', equals(receipt.fingerprintDigest, sha256(fingerprints)))
  expect('receipt.contentDigest', content.agreesWith(receipt))
  const continued = request.continuation !== undefined
  expect('receipt.earlierContentDigest', continued === (receipt.earlierContentDigest !== undefined))
  return receipt
}

function agree<T extends Usage | Timings>(signed: T, sent: T): boolean {
  return (Object.keys(sent) as Array<keyof T>).every((field) => signed[field] === sent[field])
}

function expect(name: string, agrees: boolean): void {
  if (!agrees) throw new PotluckError('protocol_violation', `${name} does not agree with the answer`)
}
