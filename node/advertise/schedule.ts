/**
 * When the card is to be published again: a pure function of what happened so far.
 *
 * A record lies with the peers that were known when it was put. A node that just joined knows few, so
 * it publishes again as it comes to know more, ever more rarely; and always before the card is half
 * way to its end, since no storer republishes values by itself. All times are milliseconds since the epoch.
 */
import { CARD_TTL_MS } from '@potluck/protocol'

export interface PublishState {
  /** The last attempt, or the start. */
  attemptedAt: number
  /** Attempts in a row that no storer confirmed. */
  failures: number
  /** Confirmed publications that a change brought about. */
  renewals: number
  /** The first change since the last attempt: DHT peers were gained, or the card says something else. */
  changedAt: number | undefined
  /** The change must not wait for its turn: the node cannot serve what the published card says. */
  urgent: boolean
}

/** After a failure or a renewal: from a second, doubled each time. */
const FIRST_WAIT_MS = 1_000
const LAST_WAIT_MS: number = 10 * 60_000
/** Changes come together: the publication waits for the others of its kind. */
const SETTLE_MS = 100

/** Before anything was published: without a peer there is nobody to publish to. */
export function startState(now: number): PublishState {
  return { attemptedAt: now, failures: 0, renewals: 0, changedAt: undefined, urgent: false }
}

export function afterChange(state: PublishState, { at, urgent }: { at: number; urgent: boolean }): PublishState {
  return { ...state, changedAt: state.changedAt ?? at, urgent: state.urgent || urgent }
}

/** When to publish next. */
export function nextPublication({ attemptedAt, failures, renewals, changedAt, urgent }: PublishState): number {
  const regular = failures > 0 ? attemptedAt + doubled(failures) : attemptedAt + CARD_TTL_MS / 2
  if (changedAt === undefined) return regular
  const turn = urgent || renewals === 0 ? -Infinity : attemptedAt + doubled(renewals)
  return Math.min(regular, Math.max(turn, changedAt + SETTLE_MS))
}

/** `state` is that of the attempt's beginning; a change since then is to be added by the caller. */
export function afterAttempt(state: PublishState, { at, storers }: { at: number; storers: number }): PublishState {
  const renewed = storers > 0 && state.changedAt !== undefined
  return {
    attemptedAt: at,
    failures: storers > 0 ? 0 : state.failures + 1,
    renewals: renewed ? state.renewals + 1 : state.renewals,
    changedAt: undefined,
    urgent: false
  }
}

function doubled(times: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** (times - 1), LAST_WAIT_MS)
}
