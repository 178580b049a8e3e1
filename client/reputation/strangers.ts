/**
 * How far strangers are trusted: as far as strangers were good so far. Where keys are free, a
 * banned peer comes back as a probationary peer, and a fixed share for newcomers would be its pasture for
 * ever. (The adaptive stranger policy of Feldman, Lai, Stoica and Chuang, "Robust Incentive
 * Techniques for Peer-to-Peer Networks", EC 2004.) Pure.
 */
import type { ReputationParameters } from './parameters.ts'
import type { Standing } from './score.ts'

export interface Strangers {
  /** Newcomers that became established; and that were quarantined or banned. Decaying. */
  good: number
  bad: number
  /** Milliseconds since the epoch. */
  at: number
}

export function freshStrangers(now: number): Strangers {
  return { good: 0, bad: 0, at: now }
}

/** A probationary peer's trial came to its end, or an established peer turned out bad. */
export function noteTransition(
  strangers: Strangers,
  before: Standing,
  after: Standing,
  { dayHalfLifeMs }: ReputationParameters,
  now: number
): Strangers {
  const good = before === 'probationary' && after === 'established'
  const bad = (before === 'probationary' || before === 'established') && (after === 'quarantined' || after === 'banned')
  if (!good && !bad) return strangers
  const kept = 2 ** (-Math.max(0, now - strangers.at) / dayHalfLifeMs)
  return { good: strangers.good * kept + Number(good), bad: strangers.bad * kept + Number(bad), at: now }
}

/** The share of requests for newcomers, while an established peer is there. */
export function probationShare(
  { good, bad }: Strangers,
  { probationShare: most, probationShareFloor }: ReputationParameters
): number {
  // One good stranger is assumed, so that the first bad one does not close the door. Squared: what is
  // offered falls faster than the chance that a stranger is good, as what it costs rises.
  return Math.max(probationShareFloor, most * ((good + 1) / (good + bad + 1)) ** 2)
}
