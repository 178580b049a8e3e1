/** One answer, which the caller reads once: as a stream of parts, as text, or as a result. */
import { PotluckError, type FinishReason, type PositionLogprobs, type ToolCall, type Usage } from '@potluck/protocol'

import type { AnswerMetadata, AnswerPart } from './generate/parts.ts'
import { addPiece } from './generate/tool-calls.ts'

export interface AnswerResult {
  /**
   * The text that the model wrote. It is cut off if `finishReason` is `length`, also in the middle of a JSON document.
   */
  text: string
  /** The model's reasoning before the answer. Empty if there is none. */
  reasoning: string
  /** If `finishReason` is `length`, the last call can be incomplete. */
  toolCalls: readonly ToolCall[]
  tokens: readonly number[]
  /** One per token, if the request asked for them. Otherwise empty. */
  logprobs: readonly PositionLogprobs[]
  finishReason: FinishReason
  usage: Usage
  metadata: AnswerMetadata
}

/** An answer starts at most this many times. Each failed start costs a malicious node a part of its reputation. */
const MAX_STARTS = 3

type Start = (signal: AbortSignal) => AsyncGenerator<AnswerPart, void, void>

/**
 * An answer, which the caller reads once. Nothing is sent before that, so an unread answer costs nothing. If the reader
 * pauses, the node pauses too, because it sends no more tokens than the client granted. If the reader ends the loop or
 * aborts, the node stops.
 */
export class Answer implements AsyncIterable<AnswerPart> {
  /** Names the answer in the events of the client. */
  readonly id: string = crypto.randomUUID()
  readonly #start: Start
  readonly #cancelled = new AbortController()
  readonly #signal: AbortSignal
  readonly #result = Promise.withResolvers<AnswerResult>()
  #started = false

  /** @internal `client.chat` and `client.complete` create answers. The signal of `start` fires when reading stops. */
  constructor(start: Start, signal: AbortSignal) {
    this.#start = start
    this.#signal = AbortSignal.any([signal, this.#cancelled.signal])
    // A caller that only iterates gets the failure from the iterator. Here it must not become an unhandled rejection.
    this.#result.promise.catch(() => undefined)
  }

  /**
   * Iterates over the parts. The last part is `finish`. An answer can be read once.
   *
   * @throws PotluckError when the answer fails; `aborted` when the signal fires
   */
  [Symbol.asyncIterator](): AsyncIterator<AnswerPart, void, void> {
    if (this.#started) throw new TypeError('an answer can be read once; keep its parts, or use result()')
    this.#started = true
    const parts = this.#run()
    return {
      next: () => parts.next(),
      return: async () => {
        // Abort first: if the generator waits for the network, `return` takes effect only when that wait ends.
        const stopped = new PotluckError('aborted', 'the reader stopped reading')
        this.#cancelled.abort(stopped)
        this.#result.reject(stopped)
        await parts.return()
        return { done: true, value: undefined }
      }
    }
  }

  /**
   * The whole text. Reads the answer as `result`, or waits for the reader that already does.
   *
   * @throws PotluckError when the answer fails
   */
  async text(): Promise<string> {
    return (await this.result()).text
  }

  /**
   * The whole answer with its usage and metadata. Reads the answer, or waits for the reader that already does. If other
   * nodes reject the beginning that a failed node sent, the answer starts again: nobody has seen its parts.
   *
   * @throws PotluckError when the answer fails
   */
  async result(): Promise<AnswerResult> {
    if (this.#started) return await this.#result.promise
    this.#started = true
    for (let starts = 1; ; starts++) {
      try {
        for await (const _ of this.#parts());
        return await this.#result.promise
      } catch (error) {
        if (starts < MAX_STARTS && isRejected(error)) continue
        this.#result.reject(error)
        throw error
      }
    }
  }

  async *#run(): AsyncGenerator<AnswerPart, void, void> {
    try {
      yield* this.#parts()
    } catch (cause) {
      this.#result.reject(cause)
      throw cause
    } finally {
      // Settles the result if the reader stopped early. Has no effect if it is settled already.
      this.#result.reject(new PotluckError('aborted', 'the answer was not read to its end'))
    }
  }

  /** One start of the answer. Resolves the result at its end. */
  async *#parts(): AsyncGenerator<AnswerPart, void, void> {
    let text = ''
    let reasoning = ''
    const toolCalls: ToolCall[] = []
    const tokens: number[] = []
    const logprobs: PositionLogprobs[] = []
    for await (const part of this.#start(this.#signal)) {
      if (part.type === 'delta') {
        text += part.text
        reasoning += part.reasoning ?? ''
        for (const piece of part.toolCalls ?? []) addPiece(toolCalls, piece)
        tokens.push(...part.tokens)
        logprobs.push(...(part.logprobs ?? []))
      } else if (part.type === 'finish') {
        const { finishReason, usage, metadata } = part
        this.#result.resolve({ text, reasoning, toolCalls, tokens, logprobs, finishReason, usage, metadata })
      }
      yield part
    }
  }
}

/** Other nodes found that the beginning of the answer does not come from the model. */
function isRejected(error: unknown): boolean {
  return error instanceof PotluckError && error.code === 'continuation_rejected'
}
