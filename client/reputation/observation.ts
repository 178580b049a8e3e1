/** What a client learns of a peer. Everything that the reputation knows comes in as one of these. */
import type { ErrorCode } from '@potluck/protocol'

import type { Evidence } from '../audit/evidence.ts'

/** The rates on a peer's card, tokens per second; 0: not measured. */
export interface Claims {
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
}

export type Observation =
  | Complete
  | Late
  | Failed
  /** A complete reply without tokens to time: embeddings, or an audit. */
  | { type: 'served' }
  | Audited
  /** A receipt of another contract version, or of a backend that cannot be compared. Speaks for and against nobody. */
  | { type: 'incomparable' }
  | Proven
  /** Somebody else says that the peer did well. Worth little, and capped. */
  | { type: 'praised' }

/** An answer with its terminal frame. Times in milliseconds, as this client measured them. */
export interface Complete {
  type: 'complete'
  promptTokens: number
  /** Of these, what the node found in its cache. */
  cachedTokens: number
  completionTokens: number
  roundTripMs: number
  /** The wait that `accepted` told. */
  toldWaitMs: number
  /** From sending the request to the first token. */
  ttftMs: number
  /** From the first token to the last. */
  decodeMs: number
  /** The longest time between two tokens. */
  longestGapMs: number
  /** From sending the request to the end, as it was predicted when the peer was chosen. */
  predictedMs?: number
  claims: Claims
}

/**
 * A node that this client left before the first token, for another. No failure, but the wait was real:
 * without it, a node that is always left would never look slow.
 */
export interface Late {
  type: 'late'
  promptTokens: number
  /** Of these, what it was thought to hold. */
  cachedTokens: number
  roundTripMs: number
  toldWaitMs: number
  /** From sending the request until it was given up. */
  waitedMs: number
  claims: Claims
}

/** An attempt that ended without a terminal frame, or was refused. */
export interface Failed {
  type: 'failed'
  code: ErrorCode
}

/** This client's own audit of one receipt, or one by peers that it lets speak for it. */
export interface Audited {
  type: 'audit'
  /** The e-process over all of the peer's audits, this one included. */
  evidence: Evidence
  /** Its natural logarithm, as `logEvidence` of the audit gives it. */
  logEvidence: number
}

/** A fraud proof of somebody else's that this client has checked again by itself. */
export interface Proven {
  type: 'proven'
  /** Natural logarithm of the evidence that the re-check gave. */
  logEvidence: number
}
