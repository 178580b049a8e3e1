/**
 * What a node asks of whatever runs its model. The llama engine in a child process, and the
 * scripted engine of the tests, pass the same conformance suite (`test/conformance/engine.ts`).
 *
 * Life of a generation: `tokenize` (what `accepted` tells) -> `generate` -> iterate its events ->
 * the last is `done`. Ending the iteration early, or aborting the signal, stops the evaluation and
 * frees the slot. The engine queues nothing: the caller never runs more than `slots` generations.
 */
import type {
  AnswerShape,
  Embeddings,
  Feature,
  FinishReason,
  PromptInput,
  ReadJob,
  ParsedAnswer,
  SamplingParameters,
  TokenDelta,
  Usage
} from '@potluck/protocol'

export interface EngineModel {
  /** SHA-256 of the GGUF file, 32 bytes. */
  digest: Uint8Array
  /** `user/repo:QUANT`. */
  name: string
  architecture: string
  parameters: number
  quantization: string
  /** Tokens of prompt and answer together that one slot holds. */
  contextLength: number
  vocabularySize: number
  sizeBytes: number
  /** "chat" only if the file holds a chat template. */
  features: readonly Feature[]
}

/** How the engine computes; part of receipts, as honest noise depends on it. */
export interface EngineBackend {
  /** "cpu", "cuda", "metal" or "vulkan". */
  accelerator: string
  /** Name and version, "node-llama-cpp/3.22.1". */
  engine: string
  /** Types of the KV cache's keys and values, "bf16/f16". */
  kvType: string
  flashAttention: boolean
  /** Name of the GPU; absent on a CPU. */
  device?: string
  /** Memory of the GPU; absent on a CPU. */
  vramBytes?: number
}

/** `restarting`: crashed, comes back by itself. `failed`: crashed too often, see `reason`. */
export type EngineStatus = { state: 'ready' } | { state: 'restarting' } | { state: 'failed'; reason: string }

export interface GenerateJob {
  promptTokens: readonly number[]
  /** Answer tokens that exist already (continuation); generation starts at this length. */
  answerTokens: readonly number[]
  sampling: SamplingParameters
  /** Most tokens of the whole answer, those of `answerTokens` included. */
  maxTokens: number
  stop: readonly string[]
  /** Undefined: one text, and any. */
  shape?: AnswerShape
  /** Alternatives per position, or undefined for no log-probabilities. */
  topLogprobs?: number
  /** Tokens that may be generated before the first `grant`. */
  credit: number
}

export type EngineEvent =
  /** The prompt is evaluated; sent once, before the first delta. */
  | { type: 'prefill'; cachedTokens: number; prefillMs: number }
  | { type: 'delta'; delta: TokenDelta }
  | { type: 'done'; finishReason: FinishReason; usage: Usage; prefillMs: number; decodeMs: number }

export interface Generation extends AsyncIterable<EngineEvent> {
  /** Lets the engine generate this many tokens more; at zero it waits, holding its slot. */
  grant: (tokens: number) => void
}

export interface ScoreJob {
  promptTokens: readonly number[]
  answerTokens: readonly number[]
  /** The first position to score. Default 0. */
  first?: number
  /** As of the request: under a grammar the candidates are those that it allows. */
  shape?: AnswerShape
}

/** Raw top-64 logits at one position, best first (ties: lower token id first). */
export interface PositionScores {
  tokens: Uint32Array
  logits: Float32Array
}

export interface EngineCounters {
  /** Tokens evaluated since the start, prefill and decode apart: shows that an abort bites. */
  prefillTokens: number
  decodeTokens: number
  /** Slots with a generation in them. */
  activeSlots: number
  restarts: number
}

export interface Engine {
  readonly model: EngineModel
  readonly backend: EngineBackend
  /** Generations that may run at once. */
  readonly slots: number
  /** Conversations kept beside those in the slots, whose next turn costs only what is new. */
  readonly remembered: number
  readonly status: EngineStatus
  /** Calls back on every change of `status`; returns the way to stop it. */
  onStatus: (listener: (status: EngineStatus) => void) => () => void
  /** Renders the model's chat template where the input is a chat, and tokenises. */
  tokenize: (input: PromptInput, signal?: AbortSignal) => Promise<number[]>
  /** Throws `PotluckError` `engine_failed` from the iteration if the process dies. */
  generate: (job: GenerateJob, signal?: AbortSignal) => Generation
  /** One prefill: the scores at every answer position from the first on, for an audit. */
  score: (job: ScoreJob, signal?: AbortSignal) => Promise<PositionScores[]>
  /** Text and end of an answer's tokens, as `generate` would have given them. */
  read: (job: ReadJob, signal?: AbortSignal) => Promise<ParsedAnswer>
  /** A vector of length 1 for each text; throws `PotluckError` `context_length_exceeded` for one that is too long. */
  embed: (texts: readonly string[], signal?: AbortSignal) => Promise<Embeddings>
  counters: () => Promise<EngineCounters>
  close: () => Promise<void>
}
