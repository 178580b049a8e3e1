/**
 * How far strangers are trusted: as far as strangers were good so far. Where keys are free, a
 * convicted peer comes back as a newcomer, and a fixed share for newcomers would be its pasture for
 * ever. (The adaptive stranger policy of Feldman, Lai, Stoica and Chuang, "Robust Incentive
 * Techniques for Peer-to-Peer Networks", EC 2004.) Pure.
 */
import type { ReputationParameters } from './parameters.ts'
import type { Standing } from './score.ts'

export interface Strangers {
  /** Newcomers that became established; and that were set aside or convicted. Decaying. */
  good: number
  bad: number
  /** Milliseconds since the epoch. */
  at: number
}

export function freshStrangers(now: number): Strangers {
  return { good: 0, bad: 0, at: now }
}

/** A newcomer's trial came to its end, or an established peer turned out bad. */
export function noteTransition(
  strangers: Strangers,
  before: Standing,
  after: Standing,
  { dayHalfLifeMs }: ReputationParameters,
  now: number
): Strangers {
  const good = before === 'newcomer' && after === 'established'
  const bad = (before === 'newcomer' || before === 'established') && (after === 'set_aside' || after === 'convicted')
  if (!good && !bad) return strangers
  const kept = 2 ** (-Math.max(0, now - strangers.at) / dayHalfLifeMs)
  return { good: strangers.good * kept + Number(good), bad: strangers.bad * kept + Number(bad), at: now }
}

/** The share of requests for newcomers, while an established peer is there. */
export function newcomerShare(
  { good, bad }: Strangers,
  { newcomerShare: most, newcomerShareFloor }: ReputationParameters
): number {
  // One good stranger is assumed, so that the first bad one does not close the door. Squared: what is
  // offered falls faster than the chance that a stranger is good, as what it costs rises.
  return Math.max(newcomerShareFloor, most * ((good + 1) / (good + bad + 1)) ** 2)
}
