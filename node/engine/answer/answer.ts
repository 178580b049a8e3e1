/**
 * Generates one answer: takes the logits at each position, and returns tokens and text. All engines use this class, so
 * stop sequences, limits and log-probabilities are the same in all of them. The class uses no clock and no model.
 */
import {
  fingerprintOf,
  PotluckError,
  sampleToken,
  type TokenCandidates,
  type FinishReason,
  type PositionLogprobs,
  type TokenLogprob
} from '@potluck/protocol'
import type { TokenSet } from '../grammar/token-set.ts'
import type { GenerateJob } from '../interface.ts'
import type { ConstraintCompiler } from '../output/compiler.ts'
import type { GrammarState } from '../output/grammar-state.ts'
import type { Parts } from '../output/answer-parts.ts'
import type { Draft, Drafter } from '../speculation/drafter.ts'
import type { Vocabulary } from '../vocabulary.ts'
import { AnswerReader } from './reader.ts'

/** Raw logits at one position. */
export interface PositionLogits extends TokenCandidates {
  /** Natural logarithm of the sum of exp(logit) over the whole vocabulary. Needed only for log-probabilities. */
  logNormaliser?: number
}

/** A token and what it adds to the answer. */
export interface Step extends Parts {
  token: number
  /** Of the logits from which the token was sampled, see `fingerprintOf`. */
  fingerprint: Uint8Array
  logprobs?: PositionLogprobs
}

export interface AnswerContext {
  vocabulary: Vocabulary
  compiler: ConstraintCompiler
  /** The most tokens of prompt and answer together. */
  contextLength: number
}

export class SampledAnswer {
  readonly #job: GenerateJob
  readonly #vocabulary: Vocabulary
  readonly #reader: AnswerReader
  readonly #grammar: GrammarState | undefined
  readonly #limit: number
  readonly #counts = new Map<number, number>()
  readonly #counting: boolean
  #length = 0
  #finished: FinishReason | undefined

  /**
   * Replays the tokens of a resumed answer. It drops their text, because the client already has it.
   *
   * @throws PotluckError `context_length_exceeded` if the prompt fills the context, `invalid_request` if the prompt is
   *   empty or the grammar does not allow the tokens
   */
  constructor(job: GenerateJob, { vocabulary, compiler, contextLength }: AnswerContext) {
    if (job.promptTokens.length === 0) throw new PotluckError('invalid_request', 'prompt: it has no tokens')
    if (job.promptTokens.length >= contextLength) {
      throw new PotluckError('context_length_exceeded', `the prompt fills the context of ${contextLength} tokens`)
    }
    this.#job = job
    this.#vocabulary = vocabulary
    const { promptTokens, stop, constraint, sampling } = job
    this.#reader = new AnswerReader({ promptTokens, seed: sampling.seed, stop, constraint }, { vocabulary, compiler })
    this.#grammar = compiler.grammar(constraint)
    this.#limit = Math.min(job.maxTokens, contextLength - job.promptTokens.length)
    this.#counting = job.sampling.presencePenalty !== 0 || job.sampling.frequencyPenalty !== 0
    if (this.#limit <= 0) this.#finished = 'length'
    for (const token of job.answerTokens) this.#append(token)
    if (this.#grammar?.failed === true) {
      throw new PotluckError('invalid_request', 'answer_tokens: they do not follow the grammar')
    }
  }

  /** Why the answer ended; undefined while it continues. */
  get finished(): FinishReason | undefined {
    return this.#finished
  }

  /** Tokens so far, including those of a resumed answer. */
  get length(): number {
    return this.#length
  }

  /**
   * Returns the tokens that can come next; undefined for all.
   *
   * @throws PotluckError `unsupported` if it takes too long to compute them from the grammar
   */
  allowed(): TokenSet | undefined {
    return this.#grammar?.mask()
  }

  /**
   * Drafts tokens after those of the answer. The last token within the limit needs no draft, because none follows it.
   */
  draft(drafter: Drafter): Draft {
    return drafter.draft(this.#grammar, this.#limit - this.#length - 1)
  }

  /**
   * Samples the next token by the sampling contract, from the logits of the allowed tokens. The answer must not be
   * finished.
   */
  next(logits: PositionLogits): Step {
    const token = sampleToken(logits, this.#job.sampling, this.#length, this.#counts)
    const step: Step = { token, fingerprint: fingerprintOf(logits), ...this.#append(token) }
    if (this.#job.topLogprobs !== undefined) step.logprobs = this.#logprobs(logits, token, this.#job.topLogprobs)
    return step
  }

  #append(token: number): Parts {
    this.#length++
    if (this.#counting) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
    this.#grammar?.accept(token)
    const last = this.#length >= this.#limit
    const parts = this.#reader.push(token, last)
    this.#finished = this.#reader.ended ?? (last ? 'length' : undefined)
    return parts
  }

  #logprobs(logits: PositionLogits, chosen: number, top: number): PositionLogprobs {
    const normaliser = logits.logNormaliser
    if (normaliser === undefined)
      throw new Error('the job asks for log-probabilities, but the engine computed no normaliser')
    const entry = (index: number): TokenLogprob => {
      const token = logits.tokens[index]!
      return { token, logprob: logits.logits[index]! - normaliser, bytes: this.#vocabulary.piece(token).bytes }
    }
    const count = Math.min(top, logits.tokens.length)
    return {
      chosen: entry(logits.tokens.indexOf(chosen)),
      top: Array.from({ length: count }, (_, index) => entry(index))
    }
  }
}
