/** The parts of an answer, as a caller reads them. */
import type { FinishReason, PositionLogprobs, Timings, ToolCallDelta, Usage } from '@potluck/protocol'

export type AnswerPart = AcceptedPart | DeltaPart | FinishPart

/** A node accepted the request. If that node fails and another node accepts, another such part follows. */
export interface AcceptedPart {
  type: 'accepted'
  peerId: string
  model: { digest: string; name: string }
  promptTokens: number
  /** The token ids of the prompt. They mean something only to this model. */
  prompt: readonly number[]
  /** 0: the node starts at once. */
  queuePosition: number
  estimatedWaitMs: number
}

/** A piece of the answer. The text can lag behind the tokens while a character or a stop sequence is incomplete. */
export interface DeltaPart {
  type: 'delta'
  text: string
  tokens: readonly number[]
  /** The model's reasoning before its answer. */
  reasoning?: string
  /** Pieces of tool calls, in order. */
  toolCalls?: readonly ToolCallDelta[]
  /** One per token, if the request asked for them. */
  logprobs?: readonly PositionLogprobs[]
}

/** The last part of every complete answer. */
export interface FinishPart {
  type: 'finish'
  /**
   * `stop`: the model ended, or wrote a stop sequence; `tool_calls`: it ended after a call; `length`: it reached
   * `maxTokens`.
   */
  finishReason: FinishReason
  usage: Usage
  metadata: AnswerMetadata
}

/** Which nodes answered, how fast, and the signed receipt. */
export interface AnswerMetadata {
  peerId: string
  /** Digest as `sha256:…`, and the name on the node's card. */
  model: { digest: string; name: string }
  /** Multiaddr of the node, as it was dialled. */
  address: string
  /** Whether a relay carried the connection. A relay cannot read the data. */
  relayed: boolean
  /** Protocols of the connection: for instance `/noise` and `/yamux/1.0.0`. */
  encryption: string
  muxer: string
  /** From the request to the first token, including discovery and failed attempts; milliseconds. */
  ttftMs: number
  totalMs: number
  /**
   * From the first token to the last: the lower rate of this client's and the node's measurements. 0 for a single
   * token.
   */
  tokensPerSecond: number
  /** The same model file, parameters and seed give the same answer on the same kind of hardware. */
  seed: bigint
  /** Times that the node measured. */
  timings: Timings
  /** The attempts that failed before. If a failed attempt had produced tokens, the next node continued after them. */
  failures: readonly AttemptFailure[]
  /**
   * How nodes with the same model continued each other's answer. Absent if one node produced all tokens of this model.
   */
  continuation?: Continuity
  /**
   * The part that another model produced. Set only if the caller allowed `otherModels` and the first model was no
   * longer available. Its tokens belong to another vocabulary, so no seed repeats the answer. Usage and receipt cover
   * only the rest, which `model` produced.
   */
  beginning?: Beginning
  /** The node's signed statement, for `openReceipt`. */
  receipt: Uint8Array
}

/**
 * - `exact`: all nodes that produced tokens compute the same logits, to the bit. So this is the answer that one of them
 *   would have given alone, and its seed repeats it. This follows from what the nodes say about their hardware and
 *   their engine.
 * - `same_model`: the tokens are from the same model file, but the nodes compute slightly different logits. So the
 *   answer of one node alone can differ after some words.
 */
export type Continuity = 'exact' | 'same_model'

/** The first part of an answer that another model finished. */
export interface Beginning {
  model: { digest: string; name: string }
  /** Counted in that model's vocabulary. */
  tokens: number
}

export interface AttemptFailure {
  peerId: string
  /** One of the protocol's error codes. */
  code: string
  /** Tokens that the caller had received when the attempt failed. */
  tokens: number
}
