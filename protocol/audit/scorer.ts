import type { AnswerShape, PromptInput } from '../generation.ts'
import type { Candidates } from '../sampler/index.ts'

/** What an answer's tokens mean. */
export interface Reading {
  /** The content, without reasoning and calls, up to the answer's end. */
  text: string
  /** Tokens up to the end, by the model's end of turn or a stop sequence; undefined if it did not come. */
  end?: number
}

export interface ReadJob {
  answerTokens: readonly number[]
  stop: readonly string[]
  /** Of the request; undefined: one text. */
  shape?: AnswerShape
}

export interface ScoreJob {
  promptTokens: readonly number[]
  /** The whole answer: a grammar counts from its beginning. */
  answerTokens: readonly number[]
  /** The position to begin at. */
  first: number
  shape: AnswerShape
}

/** What an audit needs of an engine that holds the model; the node's `Engine` has it. */
export interface Scorer {
  readonly model: {
    /** SHA-256 of the GGUF file. */
    readonly digest: Uint8Array
  }
  /** The token ids that the model's own template and tokenizer give. */
  tokenize: (input: PromptInput, signal?: AbortSignal) => Promise<number[]>
  /** One prefill: raw logits at every answer position from `first` on, of the tokens that the shape allows. */
  score: (job: ScoreJob, signal?: AbortSignal) => Promise<readonly Candidates[]>
  /** Content and end of an answer's tokens, as `generate` would have given them. */
  read: (job: ReadJob, signal?: AbortSignal) => Promise<Reading>
}
