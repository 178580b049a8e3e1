/** One answer, as the caller holds it: read once, as a stream, as text or as a result. */
import {
  PotluckError,
  type FinishReason,
  type PositionLogprobs,
  type ToolCall,
  type ToolCallDelta,
  type Usage
} from '@potluck/protocol'

import type { AnswerMetadata, AnswerPart } from './generate/parts.ts'

export interface AnswerResult {
  text: string
  /** What the model thought before it answered; empty if it did not. */
  reasoning: string
  /** Whole, but for a last one where `finishReason` is `length`. */
  toolCalls: readonly ToolCall[]
  tokens: readonly number[]
  /** One for each token, if asked for; else empty. */
  logprobs: readonly PositionLogprobs[]
  finishReason: FinishReason
  usage: Usage
  metadata: AnswerMetadata
}

/** Starts the answer; the signal is the answer's own, which fires when its caller leaves. */
export type Start = (signal: AbortSignal) => AsyncGenerator<AnswerPart, void, void>

/**
 * Nothing is sent before the answer is read, so one that nobody reads costs nothing. A reader that
 * stops reading stops the node, which sends no more than the credit it was given; one that leaves
 * the loop, or aborts, cancels the work on the node.
 */
export class Answer implements AsyncIterable<AnswerPart> {
  readonly #start: Start
  readonly #cancelled = new AbortController()
  readonly #signal: AbortSignal
  readonly #result = Promise.withResolvers<AnswerResult>()
  #started = false

  /** @internal Answers come from `client.chat` and `client.complete`. */
  constructor(start: Start, signal: AbortSignal) {
    this.#start = start
    this.#signal = AbortSignal.any([signal, this.#cancelled.signal])
    // A caller who only iterates gets the failure there; it must not count as unhandled here too.
    this.#result.promise.catch(() => undefined)
  }

  /**
   * The parts, the last of which is `finish`. Can be iterated once.
   *
   * @throws PotluckError as the answer fails, `aborted` after the signal
   */
  [Symbol.asyncIterator](): AsyncIterator<AnswerPart, void, void> {
    if (this.#started) throw new TypeError('an answer can be read once; keep its parts, or use result()')
    this.#started = true
    const parts = this.#run()
    return {
      next: () => parts.next(),
      return: async () => {
        // The generator may be waiting for the network: it returns only when that wait ends.
        const left = new PotluckError('aborted', 'the reader left')
        this.#cancelled.abort(left)
        this.#result.reject(left)
        await parts.return()
        return { done: true, value: undefined }
      }
    }
  }

  /**
   * The whole text. Reads the answer, unless somebody does.
   *
   * @throws PotluckError as the answer fails
   */
  async text(): Promise<string> {
    return (await this.result()).text
  }

  /**
   * The whole answer with its usage and metadata. Reads it, unless somebody does; then it waits for
   * the end of that reading.
   *
   * @throws PotluckError as the answer fails
   */
  async result(): Promise<AnswerResult> {
    if (!this.#started) await drain(this)
    return await this.#result.promise
  }

  async *#run(): AsyncGenerator<AnswerPart, void, void> {
    let text = ''
    let reasoning = ''
    const toolCalls: ToolCall[] = []
    const tokens: number[] = []
    const logprobs: PositionLogprobs[] = []
    try {
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
    } catch (cause) {
      this.#result.reject(cause)
      throw cause
    } finally {
      // Settles what a reader left unfinished; without effect otherwise.
      this.#result.reject(new PotluckError('aborted', 'the answer was not read to its end'))
    }
  }
}

function addPiece(calls: ToolCall[], { index, id, name, arguments: text }: ToolCallDelta): void {
  if (id !== undefined && name !== undefined && index === calls.length) calls.push({ id, name, arguments: '' })
  const call = calls[index]
  if (call === undefined) throw new PotluckError('protocol_violation', "a tool call's piece came before the call")
  call.arguments += text
}

async function drain(parts: AsyncIterable<AnswerPart>): Promise<void> {
  const iterator = parts[Symbol.asyncIterator]()
  while (!(await iterator.next()).done);
}
