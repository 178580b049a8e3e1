/** The message of `/potluck/card/1.0.0`: the node's card and its current load. */
import { create, toBinary } from '@bufbuild/protobuf'

import { MAX_CARD_BYTES } from '../constants.ts'
import type { Load } from '../generation.ts'
import { CardReplySchema } from '../messages/potluck_pb.ts'
import { FieldCheck } from './check.ts'
import { parseLoad } from './node-frame.ts'

export interface CardReply {
  /** Signed envelope, see `openCard`. */
  card: Uint8Array
  load: Load
}

const check = new FieldCheck('protocol_violation', 'invalid card reply')

export function encodeCardReply(reply: CardReply): Uint8Array {
  return toBinary(CardReplySchema, create(CardReplySchema, { ...reply }))
}

/** @throws PotluckError `protocol_violation` */
export function decodeCardReply(bytes: Uint8Array): CardReply {
  const message = check.decode(CardReplySchema, bytes, 'reply cannot be decoded')
  return {
    card: check.bytesUpTo('card', message.card, MAX_CARD_BYTES),
    load: parseLoad(check.present('load', message.load))
  }
}
