/** One model on one node, as selection sees it. Built by the client from card, load, reputation and memory. */
import type { Load } from '@potluck/protocol'

import type { Claims, Score, Speed } from '../reputation/index.ts'

export interface Contender {
  readonly peer: string
  /** The user's own node. */
  readonly local: boolean
  /** On the user's list of trusted peers. */
  readonly trusted: boolean
  readonly draining: boolean
  /** The model offers all that the request needs, and the sampling contract is ours. */
  readonly suitable: boolean
  /** Tokens of prompt and answer together. */
  readonly contextLength: number
  readonly claims: Claims
  readonly load: Load
  /** When the node told its load, milliseconds since the epoch. */
  readonly loadAt: number
  readonly roundTripMs: number
  /** This client's own requests there now, and those of them that were sent after the load was told. */
  readonly inFlight: number
  readonly sentSince: number
  /** Tokens of this prompt that the node is thought to hold in its cache. */
  readonly cachedTokens: number
  /** A busy node's word, or our own after refusals: not before this time, milliseconds since the epoch. 0: at once. */
  readonly notBefore: number
  readonly standing: Score['standing']
  readonly reliability: Score['reliability']
  /** Tokens that were audited so far, and audits that have not come back. */
  readonly auditedTokens: number
  readonly awaitedAudits: number
  readonly speed: Speed
}

/** What is asked, as far as it is known beforehand. */
export interface Request {
  /** An estimate: only a node can count. */
  promptTokens: number
  /** The most, as the caller set it. */
  maxTokens: number | undefined
  /** What is expected. */
  answerTokens: number
}

/** Whom the user allows. `open`: everybody; `trusted`: the own node and the trusted list; `local`: the own node alone. */
export type Mode = 'open' | 'trusted' | 'local'
