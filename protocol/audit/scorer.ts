import type { OutputConstraint, PromptInput } from '../generation.ts'
import type { TokenCandidates } from '../sampler/index.ts'

/** The text and the end of an answer, parsed from its tokens. */
export interface ParsedAnswer {
  /** The content up to the answer's end, without reasoning and tool calls. */
  text: string
  /** Number of tokens up to and including the end of turn or a stop sequence; undefined if the answer has neither. */
  end?: number
  /** The tokens up to the end do not follow the grammar of the constraint. No honest node generates such an answer. */
  ungrammatical?: true
}

export interface ReadJob {
  answerTokens: readonly number[]
  stop: readonly string[]
  /** The request's output constraint; undefined: plain text. */
  constraint?: OutputConstraint
}

export interface AuditScoreJob {
  promptTokens: readonly number[]
  /** The whole answer, because the grammar starts with the first token. */
  answerTokens: readonly number[]
  /** The first position to score. */
  first: number
  constraint: OutputConstraint
}

/** What an audit needs from an engine that holds the model. The node's `Engine` implements it. */
export interface Scorer {
  readonly model: {
    /** SHA-256 of the GGUF file. */
    readonly digest: Uint8Array
  }
  /** Returns the token ids that the model's own template and tokenizer give. */
  tokenize: (input: PromptInput, signal?: AbortSignal) => Promise<number[]>
  /** Returns the candidates at every answer position from `first` on, with raw logits. Takes one prefill. */
  score: (job: AuditScoreJob, signal?: AbortSignal) => Promise<readonly TokenCandidates[]>
  /** Returns the text and the end of an answer, exactly as `generate` of an honest node finds them. */
  read: (job: ReadJob, signal?: AbortSignal) => Promise<ParsedAnswer>
}
