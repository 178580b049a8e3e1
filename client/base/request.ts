/** What a caller asks for, and how it becomes a request on the wire. */
import {
  CREDIT_WINDOW,
  DEFAULT_SAMPLING,
  decodeClientFrame,
  encodeRequest,
  MAX_FRAME_BYTES,
  offeredTools,
  PotluckError,
  type ChatMessage,
  type Feature,
  type GenerateRequest,
  type ModelCard,
  type PromptInput,
  type ResponseFormat,
  type SamplingParameters,
  type Tool,
  type ToolChoice
} from '@potluck/protocol'

import { CHARACTERS_PER_TOKEN, DEFAULT_MAX_TOKENS, LEAST_CHARACTERS_PER_TOKEN } from './constants.ts'

export interface GenerationOptions {
  /**
   * `auto` (the default: the best that is served now), a digest (`sha256:…`) or a name (`user/repo:QUANT`).
   * Only a digest says which weights answer; a name is an alias that anybody may claim.
   */
  model?: string
  /** 64 bits that fix the answer, for the same model and parameters. Default: random. */
  seed?: bigint
  /** 0 to 100; 0 takes the most probable token each time. Default 0.8. */
  temperature?: number
  /** Default 40; 0: all of the contract's 64 candidates. */
  topK?: number
  /** 0 to 1, default 0.95. */
  topP?: number
  /** 0 to 1, default 0.05. */
  minP?: number
  /** -100 to 100, default 0. */
  presencePenalty?: number
  /** -100 to 100, default 0. */
  frequencyPenalty?: number
  /** Token id to what is added to its logit, -100 to 100. */
  logitBias?: ReadonlyMap<number, number>
  /** Most tokens of the answer. Default 1,024, or what the model's context has room for beside the prompt. */
  maxTokens?: number
  /** Texts that end the answer and are not part of it; at most 16. */
  stop?: readonly string[]
  /**
   * Makes the text a JSON document, with the schema enforced token by token. The model is not told of it: ask for
   * JSON in the messages too. `checkSchema` names what a schema holds beyond the supported subset.
   */
  responseFormat?: ResponseFormat
  /** Asks for log-probabilities, with this many alternatives a token, 0 to 20. */
  topLogprobs?: number
  /** Allows that third peers see this request, to audit its answer. Default false. */
  shareable?: boolean
  /**
   * When nobody is left who has the model, lets another go on with the answer, from the text so far; the
   * metadata's `beginning` then says so. Default false.
   */
  otherModels?: boolean
  /** Ends the answer; the node stops at once. */
  signal?: AbortSignal
}

export interface ChatOptions extends GenerationOptions {
  messages: readonly ChatMessage[]
  /** What the model may call; the calls come as `toolCalls`, their arguments valid by the tool's schema. */
  tools?: readonly Tool[]
  /** Default `auto`. */
  toolChoice?: ToolChoice
  /** Several calls in one answer. Default true. */
  parallelToolCalls?: boolean
}

export interface CompletionOptions extends GenerationOptions {
  /** Continued as it is, without a chat template. */
  prompt: string
}

/** A request before a node is chosen for it. */
export interface Ask {
  model: string
  input: PromptInput
  sampling: SamplingParameters
  maxTokens: number | undefined
  stop: readonly string[]
  responseFormat: ResponseFormat | undefined
  topLogprobs: number | undefined
  shareable: boolean
  otherModels: boolean
}

/**
 * Fills in the defaults and refuses what every node would refuse.
 *
 * @throws PotluckError `invalid_request`, which names the field
 */
export function toAsk(options: ChatOptions | CompletionOptions): Ask {
  const ask: Ask = {
    model: options.model ?? 'auto',
    input: toInput(options),
    sampling: {
      seed: options.seed ?? randomSeed(),
      temperature: options.temperature ?? DEFAULT_SAMPLING.temperature,
      topK: options.topK ?? DEFAULT_SAMPLING.topK,
      topP: options.topP ?? DEFAULT_SAMPLING.topP,
      minP: options.minP ?? DEFAULT_SAMPLING.minP,
      presencePenalty: options.presencePenalty ?? DEFAULT_SAMPLING.presencePenalty,
      frequencyPenalty: options.frequencyPenalty ?? DEFAULT_SAMPLING.frequencyPenalty,
      logitBias: options.logitBias ?? DEFAULT_SAMPLING.logitBias
    },
    maxTokens: options.maxTokens,
    stop: options.stop ?? [],
    responseFormat: options.responseFormat,
    topLogprobs: options.topLogprobs,
    shareable: options.shareable ?? false,
    otherModels: options.otherModels ?? false
  }
  validate(ask)
  return ask
}

function toInput(options: ChatOptions | CompletionOptions): PromptInput {
  const { messages, prompt, tools, toolChoice, parallelToolCalls }: Partial<ChatOptions & CompletionOptions> = options
  if ((messages === undefined) === (prompt === undefined)) {
    throw new PotluckError('invalid_request', 'invalid request: give either messages or a prompt')
  }
  if (messages === undefined) return { prompt: prompt ?? '' }
  return {
    messages,
    ...(tools === undefined ? {} : { tools }),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls })
  }
}

/** One attempt's request; every attempt has an id of its own. */
export function toRequest(ask: Ask, model: Pick<ModelCard, 'digest' | 'contextLength'>): GenerateRequest {
  return {
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    modelDigest: model.digest,
    input: ask.input,
    sampling: ask.sampling,
    maxTokens: ask.maxTokens ?? defaultMaxTokens(ask, model.contextLength),
    stop: ask.stop,
    ...(ask.responseFormat === undefined ? {} : { responseFormat: ask.responseFormat }),
    ...(ask.topLogprobs === undefined ? {} : { topLogprobs: ask.topLogprobs }),
    credit: CREDIT_WINDOW,
    shareable: ask.shareable
  }
}

/** A guess at the prompt's tokens: only the node, which holds the tokenizer, knows. */
export function estimatePromptTokens(ask: Pick<Ask, 'input'>): number {
  return Math.ceil(characters(ask) / CHARACTERS_PER_TOKEN)
}

/** Half of the context, or less for a long prompt, since a node refuses what might not fit. */
function defaultMaxTokens(ask: Pick<Ask, 'input'>, contextLength: number): number {
  const room = contextLength - Math.ceil(characters(ask) / LEAST_CHARACTERS_PER_TOKEN)
  const most = Math.min(DEFAULT_MAX_TOKENS, Math.floor(contextLength / 2))
  return Math.max(1, Math.min(most, Math.max(room, Math.floor(contextLength / 8))))
}

/** What the template renders: contents, calls and tools. */
function characters({ input }: Pick<Ask, 'input'>): number {
  if ('prompt' in input) return input.prompt.length
  const { messages, tools = [] } = input
  const texts = messages.flatMap(({ content, toolCalls = [] }) => [content, ...toolCalls.map((call) => call.arguments)])
  return texts.reduce((sum, text) => sum + text.length, tools.length === 0 ? 0 : JSON.stringify(tools).length)
}

/** What a model has to offer for this request. */
export function requiredFeatures(ask: Pick<Ask, 'input' | 'responseFormat' | 'topLogprobs'>): Feature[] {
  const { input, responseFormat, topLogprobs } = ask
  const features: Feature[] = ['prompt' in input ? 'completion' : 'chat']
  if (topLogprobs !== undefined) features.push('logprobs')
  if (responseFormat !== undefined) features.push('json')
  if ('messages' in input && offeredTools(input).length > 0) features.push('tools')
  return features
}

/** The nodes' own rules, applied before anything is sent. */
function validate(ask: Ask): void {
  const { bytes } = encode(toRequest(ask, { digest: new Uint8Array(32), contextLength: 2 * DEFAULT_MAX_TOKENS }))
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new PotluckError('invalid_request', `invalid request: more than ${MAX_FRAME_BYTES} bytes; shorten the prompt`)
  }
  decodeClientFrame(bytes)
}

function encode(request: GenerateRequest): ReturnType<typeof encodeRequest> {
  try {
    return encodeRequest(request)
  } catch (cause) {
    // The encoder refuses what no field can hold, such as a seed of more than 64 bits.
    throw new PotluckError('invalid_request', 'invalid request: a value does not fit its field', { cause })
  }
}

function randomSeed(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n
}
