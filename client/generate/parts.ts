/** What a caller gets of an answer, piece by piece and at its end. */
import type { FinishReason, PositionLogprobs, Timings, ToolCallDelta, Usage } from '@potluck/protocol'

export type AnswerPart = AcceptedPart | DeltaPart | FinishPart

/** A node took the request. Comes again if it fails and another takes over. */
export interface AcceptedPart {
  type: 'accepted'
  peerId: string
  model: { digest: string; name: string }
  promptTokens: number
  /** 0: it starts at once. */
  queuePosition: number
  estimatedWaitMs: number
}

/** A step of the answer. The text may lag behind the tokens, where a character or a stop sequence is incomplete. */
export interface DeltaPart {
  type: 'delta'
  text: string
  tokens: readonly number[]
  /** What the model thought before it answered. */
  reasoning?: string
  /** Pieces of tool calls, in order. */
  toolCalls?: readonly ToolCallDelta[]
  /** One for each token, if asked for. */
  logprobs?: readonly PositionLogprobs[]
}

/** The last part of every complete answer. */
export interface FinishPart {
  type: 'finish'
  /** `stop`: the model ended or a stop sequence came; `tool_calls`: it ended after a call; `length`: `maxTokens` was reached. */
  finishReason: FinishReason
  usage: Usage
  metadata: AnswerMetadata
}

/** How the answer came about, as this client saw it. */
export interface AnswerMetadata {
  peerId: string
  /** Digest as `sha256:…`, and the name that the node gives it. */
  model: { digest: string; name: string }
  /** The other end's multiaddr. */
  address: string
  /** Through a relay, which carries the bytes but cannot read them. */
  relayed: boolean
  /** Protocols of the connection, for instance `/noise` and `/yamux/1.0.0`. */
  encryption: string
  muxer: string
  /** From the request to the first token, discovery and failed attempts included. */
  ttftMs: number
  totalMs: number
  /** From the first token on, by this client's clock, or by the node's where it tells of more time; 0 for a single one. */
  tokensPerSecond: number
  /** With the same model, parameters and seed the answer is the same. */
  seed: bigint
  /** By the node's clock. */
  timings: Timings
  /** Nodes that were tried before and failed. After one that had given tokens, this one went on from there. */
  failures: readonly AttemptFailure[]
  /**
   * Only where `otherModels` was allowed and needed: by which model the answer was begun. Its tokens are of another
   * vocabulary, and no seed gives the answer again; usage and receipt are of what `model` went on with.
   */
  beginning?: Beginning
  /** The node's signed statement, for `openReceipt`. */
  receipt: Uint8Array
}

/** The beginning of an answer, by another model than its end. */
export interface Beginning {
  model: { digest: string; name: string }
  /** Of that model's vocabulary. */
  tokens: number
}

export interface AttemptFailure {
  peerId: string
  /** One of the protocol's error codes. */
  code: string
  /** Tokens of the answer that there were when it failed. */
  tokens: number
}
