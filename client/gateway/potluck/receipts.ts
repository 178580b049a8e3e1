/** Shows what the nodes of an answer signed, as JSON that people can read. */
import type { SignedAnswer } from '@potluck/client'
import { isPartialReceipt, openAnswerRecord, openPartialReceipt, openReceipt } from '@potluck/protocol'

import type { RecentAnswer } from './activity.ts'
import type { KeptAnswer, ReadableValue, SignedPart } from './types.ts'

export async function keptAnswer({ request, answer, model, parts, audit }: RecentAnswer): Promise<KeptAnswer> {
  return {
    answer,
    request,
    model: { name: model, digest: parts.at(-1)?.digest ?? '' },
    peers: await Promise.all(parts.map(signedPart)),
    ...(audit === undefined ? {} : { audit })
  }
}

async function signedPart({ peerId, record }: SignedAnswer): Promise<SignedPart> {
  const open = isPartialReceipt(record.receipt) ? openPartialReceipt : openReceipt
  const receipt = await open(record.receipt, { peerId })
  return {
    peer: peerId.toString(),
    tokens: record.answerTokens.length - receipt.firstPosition,
    receipt: readable(receipt) as SignedPart['receipt'],
    signatureValid: await openAnswerRecord(record, peerId).then(
      () => true,
      () => false
    )
  }
}

/** Bytes become hexadecimal, and numbers of 64 bits become text. */
function readable(value: unknown): ReadableValue {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, readable(field)]))
  }
  return value as ReadableValue
}
