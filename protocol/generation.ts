/** The request and answer types that client, node and engine share, after validation. */

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Parameters of sampling contract 1; the formulas stand in `sampler/`. */
export interface SamplingParameters {
  /** Key of the counter-based generator, 64 bits. The client chooses it, fresh for every request. */
  seed: bigint
  /** 0: the highest score. */
  temperature: number
  /** Candidates kept, 0: all 64. */
  topK: number
  /** Smallest set of candidates whose probabilities reach it; 1: all. */
  topP: number
  /** Least probability relative to the best candidate's; 0: all. */
  minP: number
  /** Subtracted once from the logit of each token that the answer holds already. */
  presencePenalty: number
  /** Subtracted as often as the answer holds the token. */
  frequencyPenalty: number
  /** Added to a token's logit, by token id. */
  logitBias: ReadonlyMap<number, number>
}

export const DEFAULT_SAMPLING: Omit<SamplingParameters, 'seed'> = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map()
}

/** A chat, rendered with the model's own template, or a raw prompt. */
export type PromptInput = { messages: readonly ChatMessage[] } | { prompt: string }

export type FinishReason = 'stop' | 'length'

export interface Usage {
  promptTokens: number
  /** Of the prompt's tokens, those that were in the KV cache already. */
  cachedTokens: number
  /** Includes the end-of-turn token, if it was sampled. */
  completionTokens: number
}

/** Milliseconds by the node's clock. */
export interface Timings {
  queueMs: number
  prefillMs: number
  decodeMs: number
}

export interface TokenLogprob {
  token: number
  /** Natural logarithm of the raw distribution's probability, before bias, penalties and temperature. */
  logprob: number
  /** The token's own bytes, which may be part of a character. */
  bytes: Uint8Array
}

export interface PositionLogprobs {
  chosen: TokenLogprob
  /** The most probable tokens, best first. */
  top: readonly TokenLogprob[]
}

/** A step of the answer: token ids are the truth, text what they add (it may lag behind them). */
export interface TokenDelta {
  tokens: readonly number[]
  text: string
  /** One for each token, when asked. */
  logprobs?: readonly PositionLogprobs[]
}

export interface Load {
  active: number
  queued: number
  slots: number
  /** For a request that came now. */
  estimatedWaitMs: number
}
