/**
 * Reliability: Beta evidence over three horizons. Each horizon counts complete and failed answers
 * and halves them in its own time; a longer one is the shorter one's prior. So a peer that fails
 * now shows it within a few answers, and one that failed this morning is not forgiven by a lunch break.
 */
import type { ReputationParameters } from './parameters.ts'

export interface Tally {
  complete: number
  failed: number
  /** When it was last brought up to date, milliseconds since the epoch. */
  at: number
}

export interface Reliability {
  week: Tally
  day: Tally
  recent: Tally
  /** What others' praise adds to the prior, answers. */
  praise: number
}

/** A Beta distribution over the chance that the next answer is complete. */
export interface Beta {
  alpha: number
  beta: number
}

export function freshReliability(now: number): Reliability {
  const none = { complete: 0, failed: 0, at: now }
  return { week: none, day: none, recent: none, praise: 0 }
}

export function addOutcome(
  reliability: Reliability,
  outcome: { complete: number; failed: number },
  parameters: ReputationParameters,
  now: number
): Reliability {
  const add = (tally: Tally, halfLifeMs: number): Tally => {
    const { complete, failed } = decayed(tally, halfLifeMs, now)
    return { complete: complete + outcome.complete, failed: failed + outcome.failed, at: now }
  }
  return {
    week: add(reliability.week, parameters.weekHalfLifeMs),
    day: add(reliability.day, parameters.dayHalfLifeMs),
    recent: add(reliability.recent, parameters.recentHalfLifeMs),
    praise: reliability.praise
  }
}

export function reliabilityBeta(reliability: Reliability, parameters: ReputationParameters, now: number): Beta {
  const { priorComplete, priorFailed, carriedEvidence } = parameters
  const horizons: Array<[Tally, number]> = [
    [reliability.week, parameters.weekHalfLifeMs],
    [reliability.day, parameters.dayHalfLifeMs],
    [reliability.recent, parameters.recentHalfLifeMs]
  ]
  let belief: Beta = { alpha: priorComplete + reliability.praise, beta: priorFailed }
  for (const [tally, halfLifeMs] of horizons) {
    const { complete, failed } = decayed(tally, halfLifeMs, now)
    const prior = shrunk(belief, carriedEvidence)
    belief = { alpha: prior.alpha + complete, beta: prior.beta + failed }
  }
  return belief
}

export function betaMean({ alpha, beta }: Beta): number {
  return alpha / (alpha + beta)
}

/** Answers that still count in the longest horizon. */
export function evidenceLeft(reliability: Reliability, parameters: ReputationParameters, now: number): number {
  const { complete, failed } = decayed(reliability.week, parameters.weekHalfLifeMs, now)
  return complete + failed
}

function decayed(tally: Tally, halfLifeMs: number, now: number): Tally {
  // A clock that was set back must not make evidence grow.
  const kept = 2 ** (-Math.max(0, now - tally.at) / halfLifeMs)
  return { complete: tally.complete * kept, failed: tally.failed * kept, at: now }
}

/** The same mean, with no more than so much evidence. */
function shrunk({ alpha, beta }: Beta, most: number): Beta {
  const scale = Math.min(1, most / (alpha + beta))
  return { alpha: alpha * scale, beta: beta * scale }
}
