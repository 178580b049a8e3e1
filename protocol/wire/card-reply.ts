/**
 * The message of `/potluck/card/1.0.0`: the sender's card and its current load, and cards of other nodes. With these,
 * the network stays connected when its DHT does not work.
 */
import { create, toBinary } from '@bufbuild/protobuf'

import { MAX_CARD_BYTES, MAX_CARD_OTHERS } from '../constants.ts'
import type { Load } from '../generation.ts'
import { CardReplySchema } from '../messages/potluck_pb.ts'
import { FieldCheck } from './check.ts'
import { parseLoad } from './node-frame.ts'

export interface CardReply {
  /** The sender's signed card, see `openCard`, and its load. Undefined from a relay, which serves no model. */
  own: { card: Uint8Array; load: Load } | undefined
  /** Signed cards of other nodes. The sender received each of them from its node, a short time ago. */
  others: readonly Uint8Array[]
}

const check = new FieldCheck('protocol_violation', 'invalid card reply')

export function encodeCardReply({ own, others }: CardReply): Uint8Array {
  return toBinary(CardReplySchema, create(CardReplySchema, { ...own, others: [...others] }))
}

/** @throws PotluckError `protocol_violation` */
export function decodeCardReply(bytes: Uint8Array): CardReply {
  const { card, load, others } = check.decode(CardReplySchema, bytes, 'reply cannot be decoded')
  check.count('others', others, MAX_CARD_OTHERS)
  for (const other of others) check.bytesUpTo('others', other, MAX_CARD_BYTES)
  const own =
    card.byteLength === 0
      ? undefined
      : { card: check.bytesUpTo('card', card, MAX_CARD_BYTES), load: parseLoad(check.present('load', load)) }
  return { own, others }
}
