/**
 * The answer as it grows: candidates in, tokens and text out. All engines share it, so that stop
 * sequences, limits and log-probabilities mean the same everywhere. It holds no clock and no model.
 */
import {
  PotluckError,
  sampleToken,
  type Candidates,
  type FinishReason,
  type PositionLogprobs,
  type TokenLogprob
} from '@potluck/protocol'
import type { GenerateJob } from '../interface.ts'
import { AnswerText } from './text.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Raw logits at one position. */
export interface PositionLogits extends Candidates {
  /** Natural logarithm of the sum of exp(logit) over the whole vocabulary; only where it was asked for. */
  logNormaliser?: number
}

/** What one more token adds. */
export interface Step {
  token: number
  text: string
  logprobs?: PositionLogprobs
}

export class Answer {
  readonly #job: GenerateJob
  readonly #vocabulary: Vocabulary
  readonly #text: AnswerText
  readonly #limit: number
  readonly #counts = new Map<number, number>()
  readonly #counting: boolean
  #length = 0
  #finished: FinishReason | undefined

  /**
   * Replays the tokens that exist already: their text was delivered by whoever generated them.
   *
   * @param contextLength tokens of prompt and answer together
   * @throws PotluckError `context_length_exceeded` if the prompt leaves no room, `invalid_request`
   *   if there is nothing to begin from
   */
  constructor(job: GenerateJob, vocabulary: Vocabulary, contextLength: number) {
    if (job.promptTokens.length === 0) throw new PotluckError('invalid_request', 'prompt: it has no tokens')
    if (job.promptTokens.length >= contextLength) {
      throw new PotluckError('context_length_exceeded', `the prompt fills the context of ${contextLength} tokens`)
    }
    this.#job = job
    this.#vocabulary = vocabulary
    this.#text = new AnswerText(job.stop)
    this.#limit = Math.min(job.maxTokens, contextLength - job.promptTokens.length)
    this.#counting = job.sampling.presencePenalty !== 0 || job.sampling.frequencyPenalty !== 0
    if (this.#limit <= 0) this.#finished = 'length'
    for (const token of job.answerTokens) this.#append(token)
  }

  /** Why the answer is over; undefined while it goes on. */
  get finished(): FinishReason | undefined {
    return this.#finished
  }

  /** Tokens so far, those of a continuation included. */
  get length(): number {
    return this.#length
  }

  /** Samples the next token by the contract. Not to be called once `finished` is set. */
  next(logits: PositionLogits): Step {
    const token = sampleToken(logits, this.#job.sampling, this.#length, this.#counts)
    const text = this.#append(token)
    const step: Step = { token, text: this.#finished === undefined ? text : text + this.#text.finish() }
    if (this.#job.topLogprobs !== undefined) step.logprobs = this.#logprobs(logits, token, this.#job.topLogprobs)
    return step
  }

  #append(token: number): string {
    this.#length++
    if (this.#counting) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
    const end = this.#vocabulary.isEnd(token)
    const text = end ? '' : this.#text.push(this.#vocabulary.piece(token))
    if (end || this.#text.stopped) this.#finished = 'stop'
    else if (this.#length >= this.#limit) this.#finished = 'length'
    return text
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
