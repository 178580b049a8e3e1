/**
 * Reliability: a Beta distribution from three horizons (week, day, recent). Each horizon counts complete and
 * failed answers with its own half-life. The result of a longer horizon is the prior of the next shorter one.
 * So a peer that begins to fail loses reliability within a few answers, and a peer that failed this morning
 * does not recover within an hour.
 */
import type { ReputationParameters } from './parameters.ts'

export interface Tally {
  complete: number
  failed: number
  /** When the counts were last updated, milliseconds since the epoch. */
  at: number
}

/** The longest first. */
const HORIZONS = ['week', 'day', 'recent'] as const
type Horizon = (typeof HORIZONS)[number]

export type Reliability = Readonly<Record<Horizon, Tally>>

/** A Beta distribution over the chance that the next answer is complete. */
export interface Beta {
  alpha: number
  beta: number
}

export function freshReliability(now: number): Reliability {
  const none = { complete: 0, failed: 0, at: now }
  return { week: none, day: none, recent: none }
}

export function addOutcome(
  reliability: Reliability,
  outcome: { complete: number; failed: number },
  parameters: ReputationParameters,
  now: number
): Reliability {
  const add = (horizon: Horizon): Tally => {
    const { complete, failed } = decayed(reliability, horizon, parameters, now)
    return { complete: complete + outcome.complete, failed: failed + outcome.failed, at: now }
  }
  return { week: add('week'), day: add('day'), recent: add('recent') }
}

export function reliabilityBeta(reliability: Reliability, parameters: ReputationParameters, now: number): Beta {
  const { priorComplete, priorFailed, carriedEvidence } = parameters
  let belief: Beta = { alpha: priorComplete, beta: priorFailed }
  for (const horizon of HORIZONS) {
    const { complete, failed } = decayed(reliability, horizon, parameters, now)
    const prior = shrunk(belief, carriedEvidence)
    belief = { alpha: prior.alpha + complete, beta: prior.beta + failed }
  }
  return belief
}

export function betaMean({ alpha, beta }: Beta): number {
  return alpha / (alpha + beta)
}

/** Returns how many answers still count in the longest horizon. */
export function evidenceLeft(reliability: Reliability, parameters: ReputationParameters, now: number): number {
  const { complete, failed } = decayed(reliability, 'week', parameters, now)
  return complete + failed
}

function decayed(
  reliability: Reliability,
  horizon: Horizon,
  parameters: ReputationParameters,
  now: number
): Pick<Tally, 'complete' | 'failed'> {
  const { complete, failed, at } = reliability[horizon]
  // If the clock was set back, the counts must not grow.
  const kept = 2 ** (-Math.max(0, now - at) / parameters[`${horizon}HalfLifeMs`])
  return { complete: complete * kept, failed: failed * kept }
}

/** Returns a distribution with the same mean and at most `most` answers of evidence. */
function shrunk({ alpha, beta }: Beta, most: number): Beta {
  const scale = Math.min(1, most / (alpha + beta))
  return { alpha: alpha * scale, beta: beta * scale }
}
