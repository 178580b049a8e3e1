import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

import { MAX_MESSAGE_FIELDS, MAX_MESSAGE_NUMBERS } from '../constants.ts'

/**
 * Whether a message is cheap enough to decode: at most `MAX_MESSAGE_FIELDS` fields, also in the messages within it, and
 * `MAX_MESSAGE_NUMBERS` numbers in packed lists. The check takes a small part of the time of decoding. A sender can put
 * a million empty messages into 2 MiB, and decoding them takes a second. No message has groups, an old form of fields
 * whose end is found only by reading all of them.
 *
 * @throws Error if the bytes are not a message, or have a group
 */
export function isCheapToDecode(schema: DescMessage, bytes: Uint8Array): boolean {
  const left = { fields: MAX_MESSAGE_FIELDS, numbers: MAX_MESSAGE_NUMBERS }
  countDown(schema, new BinaryReader(bytes), bytes, bytes.byteLength, left)
  return left.fields >= 0 && left.numbers >= 0
}

interface Left {
  fields: number
  numbers: number
}

/** Counts the fields up to `end`, and ends early if nothing is left. */
function countDown(schema: DescMessage, reader: BinaryReader, bytes: Uint8Array, end: number, left: Left): void {
  const fields = fieldsOf(schema)
  while (reader.pos < end && left.fields >= 0 && left.numbers >= 0) {
    const [number, wireType] = reader.tag()
    left.fields--
    if (wireType === WireType.StartGroup) throw new Error('a message has a group')
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number)
      continue
    }
    const length = reader.uint32()
    const inner = reader.pos + length
    if (inner > end) throw new RangeError('a field ends after its message')
    const field = fields.get(number)
    if (field?.message !== undefined) countDown(field.message, reader, bytes, inner, left)
    else if (field?.fieldKind === 'list' && isNumber(field.scalar))
      left.numbers -= countNumbers(bytes, reader.pos, inner)
    reader.pos = inner
  }
}

/** The last byte of each varint is below 0x80. A float of four bytes counts as one to four numbers. */
function countNumbers(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (let index = from; index < to; index++) if (bytes[index]! < 0x80) count++
  return count
}

function isNumber(scalar: ScalarType | undefined): boolean {
  return scalar !== undefined && scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>()

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  const cached = known.get(schema)
  if (cached !== undefined) return cached
  const fields = new Map(schema.fields.map((field) => [field.number, field]))
  known.set(schema, fields)
  return fields
}
