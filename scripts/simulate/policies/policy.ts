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

/** What a policy hears of one attempt; ends with one of the last three. */
export interface Attempt {
  accepted: (toldWaitMs: number, load: Load) => void
  firstToken: () => void
  complete: (cachedTokens: number, decodeMs: number) => void
  failed: (code: ErrorCode, retryAfterMs?: number) => void
  /** Given up by this client. */
  left: () => void
  /** After how long without a first token the request goes to a second peer. */
  hedgeAfterMs?: () => number
  /**
   * While there is no first token: asks some of the next in the ranking for their load, which takes
   * `afterMs`, and then says for whom to give up the place, if for anybody.
   */
  lookAround?: (next: (count: number) => Candidate[]) => Look | undefined
}

export interface Look {
  afterMs: number
  decide: () => Candidate | undefined
}

export interface Policy {
  /** Best first. */
  candidates: (ask: Ask) => Iterable<Candidate>
  /** The request is sent there; `hedge`: beside one that is under way. */
  begin?: (candidate: Candidate, ask: Ask, hedge: boolean) => Attempt
  /** Whether a hedge may go there now. */
  takeHedge?: (to: Candidate) => boolean
}

export interface PolicyContext {
  client: string
  peers: () => readonly PublicPeer[]
  now: () => number
  random: () => number
}
