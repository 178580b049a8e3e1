/** A whole answer, put together from its parts. */
import type { AcceptedPart, AnswerMetadata, AnswerPart } from '../../index.ts'
import type { FinishReason, PositionLogprobs, ToolCall, Usage } from '@potluck/protocol'

export interface WholeAnswer {
  model: AcceptedPart['model']
  text: string
  reasoning: string
  /** Of the tokens those that came with reasoning. */
  reasoningTokens: number
  toolCalls: ToolCall[]
  logprobs: PositionLogprobs[]
  finishReason: FinishReason
  usage: Usage
  metadata: AnswerMetadata
}

export class Collector {
  #text = ''
  #reasoning = ''
  #reasoningTokens = 0
  readonly #toolCalls: ToolCall[] = []
  readonly #logprobs: PositionLogprobs[] = []
  #whole: WholeAnswer | undefined

  /** After the last part. */
  get whole(): WholeAnswer | undefined {
    return this.#whole
  }

  take(part: AnswerPart): void {
    if (part.type === 'delta') {
      this.#text += part.text
      if (part.reasoning !== undefined) {
        this.#reasoning += part.reasoning
        this.#reasoningTokens += part.tokens.length
      }
      this.#logprobs.push(...(part.logprobs ?? []))
      for (const { index, id = '', name = '', arguments: piece } of part.toolCalls ?? []) {
        const call = (this.#toolCalls[index] ??= { id, name, arguments: '' })
        call.arguments += piece
      }
    } else if (part.type === 'finish') {
      const { finishReason, usage, metadata } = part
      this.#whole = {
        model: metadata.model,
        text: this.#text,
        reasoning: this.#reasoning,
        reasoningTokens: this.#reasoningTokens,
        toolCalls: this.#toolCalls,
        logprobs: this.#logprobs,
        finishReason,
        usage,
        metadata
      }
    }
  }
}
