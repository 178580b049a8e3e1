/**
 * Decides when to publish the card again. These are pure functions of what happened so far.
 *
 * Only servers that the node knows when it publishes can store the card. A node that just joined knows few servers. So
 * it publishes again when it meets a server that belongs to the card's storers, each time after a longer pause. It also
 * publishes again after half of the card's lifetime, because peers do not republish the values that they store. All
 * times are milliseconds since the epoch.
 */
import { CARD_TTL_MS } from '@potluck/protocol'

import { PUBLISH_DELAY_MS, PUBLISH_RETRY_MS } from '../limits/limits.ts'

export interface PublishState {
  /** The time of the last attempt. Before the first attempt: the time of the start. */
  attemptedAt: number
  /** Consecutive attempts that no peer confirmed. */
  failures: number
  /** Confirmed publications that a changed card caused. */
  renewals: number
  /** Confirmed publications that a new server caused. */
  gains: number
  /** The time of the first change of the card since the last attempt. */
  changedAt: number | undefined
  /** The time at which the node met the first server since the last attempt. */
  gainedAt: number | undefined
  /** True if the change must not wait, because the node no longer serves what the published card says. */
  urgent: boolean
}

/**
 * - `server`: the node met a server that should store the card.
 * - `card`: the card changed.
 * - `urgent`: the card changed, and the published card is wrong.
 */
export type Change = 'server' | 'card' | 'urgent'

/** The state before the first publication, which waits for a peer of the DHT. */
export function startState(now: number): PublishState {
  const since = { changedAt: undefined, gainedAt: undefined, urgent: false }
  return { attemptedAt: now, failures: 0, renewals: 0, gains: 0, ...since }
}

export function afterChange(state: PublishState, { at, change }: { at: number; change: Change }): PublishState {
  if (change === 'server') return { ...state, gainedAt: state.gainedAt ?? at }
  return { ...state, changedAt: state.changedAt ?? at, urgent: state.urgent || change === 'urgent' }
}

/** Returns the time of the next publication. */
export function nextPublication(state: PublishState): number {
  const { attemptedAt, failures, renewals, gains, changedAt, gainedAt, urgent } = state
  const turn = (times: number, longest: number): number =>
    times === 0 ? -Infinity : attemptedAt + doubled(times, longest)
  const regular = attemptedAt + (failures > 0 ? doubled(failures, PUBLISH_RETRY_MS.last) : RENEW_MS)
  const soon = (since: number | undefined): number => (since ?? Infinity) + PUBLISH_DELAY_MS
  const change = Math.max(urgent ? -Infinity : turn(renewals, PUBLISH_RETRY_MS.last), soon(changedAt))
  // In a large network the node meets a server every few minutes.
  const gain = Math.max(turn(gains, RENEW_MS), soon(gainedAt))
  return Math.min(regular, change, gain)
}

/**
 * @param state the state at the beginning of the attempt. The caller must add changes that happened during the attempt
 */
export function afterAttempt(state: PublishState, { at, storers }: { at: number; storers: number }): PublishState {
  const { failures, renewals, gains, changedAt, gainedAt } = state
  const confirmed = storers > 0
  return {
    ...startState(at),
    failures: confirmed ? 0 : failures + 1,
    renewals: renewals + (confirmed && changedAt !== undefined ? 1 : 0),
    gains: gains + (confirmed && gainedAt !== undefined ? 1 : 0)
  }
}

const RENEW_MS = CARD_TTL_MS / 2

function doubled(times: number, longest: number): number {
  return Math.min(PUBLISH_RETRY_MS.first * 2 ** (times - 1), longest)
}
