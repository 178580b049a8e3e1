/** The request and answer types that client, node and engine share, after validation. */

/** A call of a tool that the model made. */
export interface ToolCall {
  /** Names the call in the `tool` message that answers it. */
  id: string
  name: string
  /** JSON text of an object. */
  arguments: string
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  content: string
  /** Of an assistant's message: what it called. */
  toolCalls?: readonly ToolCall[]
  /** Of a tool's message: the call that it answers. */
  toolCallId?: string
}

/** A JSON schema, draft 2020-12; what of it is enforced stands in `schema/compile.ts`. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown }

/** What the model may call. */
export interface Tool {
  /** Letters, digits, `_`, `-` and `.`; at most 64. */
  name: string
  description?: string
  /** Of its arguments, an object's. Default: any object. */
  parameters?: JsonSchema
  /** Refuse a schema that cannot be enforced whole. Default false: keywords beyond the subset are not enforced. */
  strict?: boolean
}

/** `required`: some tool; a name: that tool; `none`: the model is not told of any. */
export type ToolChoice = 'auto' | 'none' | 'required' | { name: string }

/** Makes the answer's text one JSON document: any object, or one of the schema. */
export type ResponseFormat = { type: 'json_object' } | { type: 'json_schema'; schema: JsonSchema }

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

/** A chat, rendered with the model's own template. */
export interface ChatInput {
  messages: readonly ChatMessage[]
  /** Default: none. */
  tools?: readonly Tool[]
  /** Default `auto`. */
  toolChoice?: ToolChoice
  /** Several calls in one answer, if the model's template knows how. Default true. */
  parallelToolCalls?: boolean
}

/** A chat, or a raw prompt. */
export type PromptInput = ChatInput | { prompt: string }

/** What a request makes of its answer: how it parts into text, reasoning and calls, and what a grammar enforces. */
export interface AnswerShape extends Omit<ChatInput, 'messages'> {
  /** The answer to a raw prompt is one text; that to a chat may hold reasoning and calls. */
  chat: boolean
  responseFormat?: ResponseFormat
}

/** `tool_calls`: the model ended after at least one whole call. */
export type FinishReason = 'stop' | 'length' | 'tool_calls'

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

/** A piece of a tool call. */
export interface ToolCallDelta {
  /** Of the call in the answer, from 0. */
  index: number
  /** Both in the first piece of a call, and in no other. */
  id?: string
  name?: string
  /** What this piece adds to the JSON text of the arguments. */
  arguments: string
}

/**
 * A step of the answer: token ids are the truth; text, reasoning and tool calls what they add (they may
 * lag behind them).
 */
export interface TokenDelta {
  tokens: readonly number[]
  text: string
  /** What the model thought before it answered, apart from the text. */
  reasoning?: string
  toolCalls?: readonly ToolCallDelta[]
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
