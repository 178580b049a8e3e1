/** How a client chooses, as an interface: ours and the baselines beside it. */
import type { ErrorCode, Load } from '@potluck/protocol'

/** What anybody can know of a peer: its card, and its load when asked. */
export interface PublicPeer {
  /** Its public key; a whitewasher's changes. */
  readonly key: string
  readonly claims: { prefillTokensPerSecond: number; decodeTokensPerSecond: number }
  readonly roundTripMs: number
  /** What it tells now. */
  load: () => Load
}

export interface Ask {
  conversation: string
  promptTokens: number
  answerTokens: number
}

export interface Candidate {
  peer: PublicPeer
  /** As it was when it was chosen. */
  key: string
}

/** What a client saw of an answer; whether it was honest only an audit can tell. */
export interface Seen<C extends Candidate> {
  candidate: C
  ask: Ask
  cachedTokens: number
  toldWaitMs: number
  ttftMs: number
  decodeMs: number
  /** For the client's auditor. */
  receipt: object
}

export interface Policy<C extends Candidate = Candidate> {
  /** Best first. */
  candidates: (ask: Ask) => Iterable<C>
  sent?: (candidate: C) => void
  accepted?: (candidate: C, load: Load) => void
  /**
   * While a request waits: asks the next ones in the ranking for their load, which takes `afterMs`, and
   * then says for whom to give up the place, if for anybody. `next` takes some from the ranking.
   */
  lookAround?: (waiting: Waiting<C>, ask: Ask, next: (count: number) => C[]) => Look<C> | undefined
  firstToken?: (candidate: C, actualMs: number) => void
  complete?: (seen: Seen<C>) => void
  /** The attempt has ended without an answer. */
  failed?: (candidate: C, code: ErrorCode, retryAfterMs?: number) => void
  /** Given up by this client before the first token. */
  left?: (candidate: C, ask: Ask, toldWaitMs: number, waitedMs: number) => void
  /** After how long a request without a first token goes to a second peer. */
  hedgeAfterMs?: (candidate: C) => number
  /** Whether that may happen now, and there. */
  takeHedge?: (other: C) => boolean
}

/** A request without a first token. */
export interface Waiting<C extends Candidate> {
  readonly candidate: C
  readonly toldWaitMs: number
  readonly sentAt: number
}

export interface Look<C extends Candidate> {
  afterMs: number
  decide: () => C | undefined
}

export interface PolicyContext {
  client: string
  peers: () => readonly PublicPeer[]
  now: () => number
  random: () => number
}
