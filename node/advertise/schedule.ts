/**
 * Decides when to publish the card again. These are pure functions of what happened so far.
 *
 * Only peers that the node knows when it publishes can store the record. A node that just joined knows few peers. So it
 * publishes again when it learns of more peers, each time after a longer pause. It also publishes again after half of
 * the card's lifetime, because peers do not republish the values that they store. All times are milliseconds since the
 * epoch.
 */
import { CARD_TTL_MS } from '@potluck/protocol'

import { PUBLISH_DELAY_MS, PUBLISH_RETRY_MS } from '../limits/limits.ts'

export interface PublishState {
  /** The time of the last attempt. Before the first attempt: the time of the start. */
  attemptedAt: number
  /** Consecutive attempts that no peer confirmed. */
  failures: number
  /** Confirmed publications that a change caused. */
  renewals: number
  /** The time of the first change since the last attempt. A change: the DHT gained a peer, or the card changed. */
  changedAt: number | undefined
  /** True if the change must not wait, because the node no longer serves what the published card says. */
  urgent: boolean
}

/** The state before the first publication, which waits for a peer of the DHT. */
export function startState(now: number): PublishState {
  return { attemptedAt: now, failures: 0, renewals: 0, changedAt: undefined, urgent: false }
}

export function afterChange(state: PublishState, { at, urgent }: { at: number; urgent: boolean }): PublishState {
  return { ...state, changedAt: state.changedAt ?? at, urgent: state.urgent || urgent }
}

/** Returns the time of the next publication. */
export function nextPublication({ attemptedAt, failures, renewals, changedAt, urgent }: PublishState): number {
  const regular = failures > 0 ? attemptedAt + doubled(failures) : attemptedAt + CARD_TTL_MS / 2
  if (changedAt === undefined) return regular
  const turn = urgent || renewals === 0 ? -Infinity : attemptedAt + doubled(renewals)
  return Math.min(regular, Math.max(turn, changedAt + PUBLISH_DELAY_MS))
}

/**
 * @param state the state at the beginning of the attempt. The caller must add changes that happened during the attempt
 */
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
  return Math.min(PUBLISH_RETRY_MS.first * 2 ** (times - 1), PUBLISH_RETRY_MS.last)
}
