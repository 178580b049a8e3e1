/**
 * The answer as it grows: candidates in, tokens and text out. All engines share it, so that stop
 * sequences, limits and log-probabilities mean the same everywhere. It holds no clock and no model.
 */
import {
  PotluckError,
  sampleToken,
  type TokenCandidates,
  type FinishReason,
  type PositionLogprobs,
  type TokenLogprob
} from '@potluck/protocol'
import type { TokenSet } from '../grammar/token-set.ts'
import type { GenerateJob } from '../interface.ts'
import type { Shaper } from '../shape/shaper.ts'
import type { Constraint } from '../shape/constraint.ts'
import type { AnswerParser, Parts } from '../shape/parser.ts'
import { AnswerText } from './text.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Raw logits at one position. */
export interface PositionLogits extends TokenCandidates {
  /** Natural logarithm of the sum of exp(logit) over the whole vocabulary; only where it was asked for. */
  logNormaliser?: number
}

/** What one more token adds. */
export interface Step extends Parts {
  token: number
  logprobs?: PositionLogprobs
}

export interface AnswerContext {
  vocabulary: Vocabulary
  shaper: Shaper
  /** Tokens of prompt and answer together. */
  contextLength: number
}

export class Answer {
  readonly #job: GenerateJob
  readonly #vocabulary: Vocabulary
  readonly #text: AnswerText
  readonly #constraint: Constraint | undefined
  readonly #parser: AnswerParser | undefined
  readonly #limit: number
  readonly #counts = new Map<number, number>()
  readonly #counting: boolean
  #length = 0
  #finished: FinishReason | undefined

  /**
   * Replays the tokens that exist already: their text was delivered by whoever generated them.
   *
   * @throws PotluckError `context_length_exceeded` if the prompt leaves no room, `invalid_request`
   *   if there is nothing to begin from or the tokens are not of the grammar
   */
  constructor(job: GenerateJob, { vocabulary, shaper, contextLength }: AnswerContext) {
    if (job.promptTokens.length === 0) throw new PotluckError('invalid_request', 'prompt: it has no tokens')
    if (job.promptTokens.length >= contextLength) {
      throw new PotluckError('context_length_exceeded', `the prompt fills the context of ${contextLength} tokens`)
    }
    this.#job = job
    this.#vocabulary = vocabulary
    this.#text = new AnswerText(job.stop)
    this.#constraint = shaper.constraint(job.shape)
    this.#parser = shaper.parser(job.shape, { promptTokens: job.promptTokens, seed: job.sampling.seed })
    this.#limit = Math.min(job.maxTokens, contextLength - job.promptTokens.length)
    this.#counting = job.sampling.presencePenalty !== 0 || job.sampling.frequencyPenalty !== 0
    if (this.#limit <= 0) this.#finished = 'length'
    for (const token of job.answerTokens) this.#append(token)
    if (this.#constraint?.holds === false) {
      throw new PotluckError('invalid_request', 'answer_tokens: they do not follow the grammar')
    }
  }

  /** Why the answer is over; undefined while it goes on. */
  get finished(): FinishReason | undefined {
    return this.#finished
  }

  /** Tokens so far, those of a continuation included. */
  get length(): number {
    return this.#length
  }

  /**
   * The tokens that may come next; undefined for all.
   *
   * @throws PotluckError `unsupported` for a grammar that takes too long
   */
  allowed(): TokenSet | undefined {
    return this.#constraint?.mask()
  }

  /** Samples the next token by the contract, from the logits of those allowed. Not to be called once `finished` is set. */
  next(logits: PositionLogits): Step {
    const token = sampleToken(logits, this.#job.sampling, this.#length, this.#counts)
    const step: Step = { token, ...this.#append(token) }
    if (this.#job.topLogprobs !== undefined) step.logprobs = this.#logprobs(logits, token, this.#job.topLogprobs)
    return step
  }

  #append(token: number): Parts {
    this.#length++
    if (this.#counting) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
    const end = this.#vocabulary.isEnd(token)
    const text = end ? '' : this.#text.push(this.#vocabulary.piece(token))
    this.#constraint?.accept(token)
    const over = end || this.#text.stopped
    if (!over && this.#length < this.#limit) return this.#part(text)
    const parts = this.#part(text + this.#text.finish())
    const last = this.#parser?.finish()
    this.#finished = !over ? 'length' : this.#parser?.called === true ? 'tool_calls' : 'stop'
    return last === undefined ? parts : joined(parts, last)
  }

  #part(text: string): Parts {
    return this.#parser?.push(text) ?? { text, reasoning: '', calls: [] }
  }

  #logprobs(logits: PositionLogits, chosen: number, top: number): PositionLogprobs {
    const normaliser = logits.logNormaliser
    if (normaliser === undefined) throw new Error('log-probabilities were asked for, but no normaliser was computed')
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

function joined(a: Parts, b: Parts): Parts {
  return { text: a.text + b.text, reasoning: a.reasoning + b.reasoning, calls: [...a.calls, ...b.calls] }
}
