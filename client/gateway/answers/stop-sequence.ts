/** Finds which stop sequence ended an answer. */
import { MAX_STOP_LENGTH, type PositionLogprobs } from '@potluck/protocol'

/** Bytes at the end of an answer that can belong to a stop sequence. A character of UTF-8 has at most 4 bytes. */
const MAX_STOP_BYTES = 4 * MAX_STOP_LENGTH

/** Returns the stop sequence that ended the answer with these tokens, or an empty text. */
export function stopTextOf(logprobs: readonly PositionLogprobs[], stops: readonly string[]): string {
  const end = new AnswerEnd()
  end.add(logprobs)
  return end.matched(stops) ?? ''
}

/** The last bytes that the model wrote. They contain the stop sequence, which the text of the answer leaves out. */
export class AnswerEnd {
  #bytes = Buffer.alloc(0)
  #last = 0

  add(logprobs: readonly PositionLogprobs[]): void {
    for (const { chosen } of logprobs) {
      this.#bytes = Buffer.concat([this.#bytes, chosen.bytes])
      this.#last = chosen.bytes.length
    }
    this.#bytes = this.#bytes.subarray(-(MAX_STOP_BYTES + this.#last))
  }

  /** Returns undefined if the model ended its turn. A stop sequence ends within the last token. */
  matched(stops: readonly string[]): string | undefined {
    return stops.find((stop) => {
      const at = this.#bytes.lastIndexOf(stop)
      return at >= 0 && at + Buffer.byteLength(stop) > this.#bytes.length - this.#last
    })
  }
}
