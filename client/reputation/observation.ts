/** What a client observes of a peer. Observations are the only input of the reputation. */
import type { ErrorCode } from '@potluck/protocol'

import type { Evidence } from '../evidence/index.ts'
import type { PanelKind } from './others.ts'

/** The rates on a peer's card, in tokens per second. 0 means that the peer did not measure them. */
export interface Claims {
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
}

export type Observation =
  | Complete
  | Late
  | Failed
  /** The peer refused a request as invalid or too long, and another peer with the same model answered it. */
  | { type: 'contradicted' }
  | Served
  | Checked
  | Audited
  | Compared
  /** An audit without a result: the answer follows another version of the sampling contract. Changes no score. */
  | { type: 'incomparable' }
  | Proven

/** What `Complete` and `Late` share. This client measured all times, except the estimate of the node. Milliseconds. */
interface Timed {
  promptTokens: number
  roundTripMs: number
  /** The wait that the node estimated in `accepted`; 0 without `accepted`. */
  estimatedWaitMs: number
  claims: Claims
}

/** An answer with its terminal frame. */
export interface Complete extends Timed {
  type: 'complete'
  /** The part of the prompt tokens that was in the cache of the node. */
  cachedTokens: number
  completionTokens: number
  /** From sending the request to the first token. */
  ttftMs: number
  /** From the first token to the last. */
  decodeMs: number
  /** The longest time between two tokens. */
  longestGapMs: number
  /** The time from sending the request to the end that the client predicted when it chose the peer. */
  predictedMs?: number
}

/**
 * The client cancelled the attempt before the first token and used another node. This is at most a small failure, but
 * the wait counts. Otherwise a node whose attempts are always cancelled would never look slow.
 */
export interface Late extends Timed {
  type: 'late'
  /** The part of the prompt tokens that the client expected in the cache of the node. */
  cachedTokens: number
  /** From sending the request until the client cancelled it. */
  waitedMs: number
  /**
   * The node accepted the request and sent no token for much longer than it estimated. The client blames it for that.
   */
  overdue: boolean
}

/** An attempt that the node refused, or that ended without a terminal frame. */
export interface Failed {
  type: 'failed'
  code: ErrorCode
}

/** An audit of one answer. */
export interface Audited {
  type: 'audit'
  /** `own`: the user's own engine or node. Otherwise a panel of other nodes. */
  by: 'own' | PanelKind
  /** The e-process over all audits of the peer by these auditors, including this one. */
  evidence: Evidence
  /** The natural logarithm of the evidence, from `logEvidence`; `CERTAIN` for a violation. */
  logEvidence: number
}

/** A fraud proof of another client that this client has checked. */
export interface Proven {
  type: 'proven'
  /** Natural logarithm of the evidence that the check found. */
  logEvidence: number
}

/** The peer audited another node's answer, and the client could compare the result. */
export interface Compared {
  type: 'compared'
  /** `refuted`: the result differs from that of the user's own engine by more than honest auditors ever differ. */
  outcome: 'agreed' | 'dissented' | 'refuted'
}

/** A complete reply without tokens of an answer. */
export interface Served {
  type: 'served'
  /** `audit`: it audited another node's answer. */
  work: 'embeddings' | 'audit'
  /** For embeddings. The time to the first token is the time to the whole reply. */
  times?: Complete
}

/** The comparison of an embedding with those of other nodes. */
export interface Checked {
  type: 'checked'
  /** False: the peer was in the minority, or the user's own node made another vector. */
  agreed: boolean
}
