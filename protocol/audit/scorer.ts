import type { OutputConstraint, PromptInput, ToolCallDelta } from '../generation.ts'
import type { TokenCandidates } from '../sampler/index.ts'
import type { Embeddings } from '../wire/embed.ts'

/** What a node makes from the tokens of an answer, and where the answer ends. */
export interface ParsedAnswer {
  /** The content from position `first` on, up to the answer's end, without reasoning and tool calls. */
  text: string
  reasoning: string
  /** The tool calls. If a call began before `first`, it has no id and no name, and only the rest of its arguments. */
  toolCalls: readonly ToolCallDelta[]
  /** Number of tokens up to and including the end of turn or a stop sequence; undefined if the answer has neither. */
  end?: number
  /** The tokens up to the end do not follow the grammar of the constraint. No honest node generates such an answer. */
  ungrammatical?: true
  /** The bytes of each token in `spell`. Undefined if one of the ids is not in the vocabulary. */
  spelt?: readonly Uint8Array[]
}

export interface ReadJob {
  /** With the seed, they determine the ids of tool calls. */
  promptTokens: readonly number[]
  seed: bigint
  answerTokens: readonly number[]
  /** The first position whose content is wanted. Default 0. */
  first?: number
  /** More tokens follow. So what a node holds back after these tokens is not part of the content. Default false. */
  open?: boolean
  stop: readonly string[]
  /** The request's output constraint; undefined: plain text. */
  constraint?: OutputConstraint
  /** Token ids whose bytes are wanted. Default: none. */
  spell?: readonly number[]
}

export interface AuditScoreJob {
  promptTokens: readonly number[]
  /** The whole answer, because the grammar starts with the first token. */
  answerTokens: readonly number[]
  /** The first position to score. */
  first: number
  constraint: OutputConstraint
  /** Whether to return `logNormaliser`. */
  normaliser: boolean
}

/** Raw logits at one position. */
export interface ScoredPosition extends TokenCandidates {
  /** Natural logarithm of the sum of exp(logit) over all tokens that are allowed at this position. */
  logNormaliser?: number
}

/** What an audit needs from an engine that holds the model. The node's `Engine` implements it. */
export interface Scorer {
  readonly model: {
    /** SHA-256 of the GGUF file. */
    readonly digest: Uint8Array
    readonly vocabularySize: number
  }
  /** Returns the token ids that the model's own template and tokenizer give. */
  tokenize: (input: PromptInput, signal?: AbortSignal) => Promise<number[]>
  /** Returns the candidates at every answer position from `first` on, with raw logits. Takes one prefill. */
  score: (job: AuditScoreJob, signal?: AbortSignal) => Promise<readonly ScoredPosition[]>
  /** Returns the content and the end of an answer, exactly as `generate` of an honest node makes them. */
  read: (job: ReadJob, signal?: AbortSignal) => Promise<ParsedAnswer>
  /**
   * Measures the noise of the model: the median distance of windows between honest ways to compute it, in logits. Takes
   * a few prefills of a fixed text. Absent or undefined: unknown.
   */
  noise?: (signal?: AbortSignal) => Promise<number | undefined>
  /** Returns a vector of length 1 for each text. */
  embed: (texts: readonly string[], signal?: AbortSignal) => Promise<Embeddings>
}
