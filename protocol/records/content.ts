/**
 * Digests of what a node made from its token ids and its logits, and what the user sees: text, reasoning, tool calls
 * and log-probabilities. The node signs the digests in its receipt. The client compares them with what arrived, and an
 * auditor with what follows from the ids. So a node cannot send other content than it signs.
 *
 * Both classes take an answer piece by piece and keep only the last piece of its text. The digests do not depend on how
 * the node cuts the answer into pieces.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { concat } from 'uint8arrays/concat'
import { fromString } from 'uint8arrays/from-string'

import { PotluckError } from '../errors.ts'
import type { PositionLogprobs, TokenDelta, TokenLogprob, ToolCallDelta } from '../generation.ts'

/** Characters that are hashed at once. To hash the text of each token on its own takes several times as long. */
const BATCH = 1_024

/** SHA-256 of a text that arrives in pieces, in UTF-8. */
class TextHash {
  readonly #hash = sha256.create()
  #pending = ''

  add(text: string): void {
    this.#pending += text
    if (this.#pending.length >= BATCH) this.#flush()
  }

  /** Returns the hash of the pieces so far. */
  digest(): Uint8Array {
    this.#flush()
    return this.#hash.clone().digest()
  }

  #flush(): void {
    this.#hash.update(utf8(this.#pending))
    this.#pending = ''
  }
}

/** The parts of an answer that follow from its token ids, or a piece of each. */
export type AnswerContent = Pick<TokenDelta, 'text' | 'reasoning' | 'toolCalls'>

/**
 * SHA-256 of three hashes: of the text, of the reasoning, and of the tool calls. Each call adds its index as 4 bytes,
 * little-endian, and the hashes of its id, its name and its arguments. All text is UTF-8.
 */
export class ContentDigest {
  readonly #text = new TextHash()
  readonly #reasoning = new TextHash()
  readonly #calls = sha256.create()
  /** The last call, which the next piece can extend. */
  #call: { index: number; arguments: TextHash } | undefined

  /**
   * Adds a piece of the answer.
   *
   * @throws PotluckError `protocol_violation` for a piece of an earlier call, or a second beginning of the same call.
   *   No honest node sends that, and a caller that reads the stream could understand it in another way than the digest
   */
  add({ text, reasoning = '', toolCalls = [] }: AnswerContent): void {
    this.#text.add(text)
    this.#reasoning.add(reasoning)
    for (const piece of toolCalls) this.#addCall(piece)
  }

  /** Returns the digest of the pieces so far. */
  digest(): Uint8Array {
    const calls = this.#calls.clone()
    if (this.#call !== undefined) calls.update(this.#call.arguments.digest())
    return sha256(concat([this.#text.digest(), this.#reasoning.digest(), calls.digest()]))
  }

  #addCall({ index, id, name, arguments: text }: ToolCallDelta): void {
    const last = this.#call
    const call = last !== undefined && id === undefined && index === last.index ? last : this.#begin(index, id, name)
    call.arguments.add(text)
  }

  /** @param id undefined only in a continuation, if another node sent the beginning of the call */
  #begin(index: number, id = '', name = ''): { arguments: TextHash } {
    if (this.#call !== undefined && index <= this.#call.index) {
      throw new PotluckError('protocol_violation', 'tool_calls: a call does not follow the call before it')
    }
    if (this.#call !== undefined) this.#calls.update(this.#call.arguments.digest())
    this.#calls.update(concat([uint32(index), sha256(utf8(id)), sha256(utf8(name))]))
    this.#call = { index, arguments: new TextHash() }
    return this.#call
  }
}

/** Returns the digest of content that is complete. */
export function contentDigest(content: AnswerContent): Uint8Array {
  const digest = new ContentDigest()
  digest.add(content)
  return digest.digest()
}

/**
 * SHA-256 of the log-probabilities: for each position the entry of the chosen token, the number of alternatives as 4
 * bytes, and their entries. An entry is the token id as 4 bytes, the log-probability as float64, and the length of the
 * token's bytes as 4 bytes, all little-endian, then these bytes.
 */
export class LogprobsDigest {
  readonly #hash = sha256.create()

  add(positions: readonly PositionLogprobs[]): void {
    for (const { chosen, top } of positions) {
      this.#hash.update(concat([entry(chosen), uint32(top.length), ...top.map(entry)]))
    }
  }

  /** Returns the digest of the positions so far. */
  digest(): Uint8Array {
    return this.#hash.clone().digest()
  }
}

function entry({ token, logprob, bytes }: TokenLogprob): Uint8Array {
  const head = new DataView(new ArrayBuffer(16))
  head.setUint32(0, token, true)
  head.setFloat64(4, logprob, true)
  head.setUint32(12, bytes.byteLength, true)
  return concat([new Uint8Array(head.buffer), bytes])
}

function uint32(value: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(4))
  bytes.setUint32(0, value, true)
  return new Uint8Array(bytes.buffer)
}

function utf8(text: string): Uint8Array {
  return fromString(text, 'utf8')
}
