/**
 * Every number of the reputation, with its meaning, unit and allowed range. `Reputation` validates them when
 * it is created, so that a typo in a configuration cannot silently disable a protection.
 */
import { BAN, QUARANTINE } from '../evidence/index.ts'

export interface ReputationParameters {
  // Integrity: the evidence of audits. Evidence is an e-value: by Ville's inequality the evidence against
  // an honest peer exceeds E within its lifetime with a probability of at most 1/E.

  /** Evidence at which a peer gets no more requests, only probes. Above 1. Default `QUARANTINE`, 30. */
  quarantineEvidence: number
  /** Evidence at which a key is banned for good. Not below `quarantineEvidence`. Default `BAN`, 1,000. */
  banEvidence: number
  /** Evidence below which a quarantined peer is released. Above 0, at most `quarantineEvidence`. Default 1. */
  releaseEvidence: number

  // Probation: keys are free, so a new key gets few requests and many audits.

  /**
   * Audited tokens after which a probationary peer is established. Default 1,000, about five answers: a peer
   * that cheats in half of its answers passes in 3 of 100 cases.
   */
  probationTokens: number
  /** The largest share of requests for probationary peers while an established peer is available, 0 to 1. Default 0.05. */
  probationShare: number
  /**
   * The share that remains if every probationary peer so far was bad, 0 to `probationShare`. Default 0.004:
   * honest peers must be able to join a network full of malicious nodes.
   */
  probationShareFloor: number

  // Audits: rate and cost.

  /** The least share of the answers of an established peer that is audited, 0 to 1. Default 0.05. */
  auditFloor: number
  /**
   * Share of all compute that audits can use, 0 to 1. Default 0.025. `auditAllowanceTokens` comes on top. With both,
   * audits use less than 5 % of all compute from the 200th request on.
   */
  auditBudget: number
  /**
   * The audit budget of a new client, in tokens of generation. Default 1,500: enough for the probationary peers
   * of a first session.
   */
  auditAllowanceTokens: number
  /**
   * Cost of one audited token, in generated tokens. Above 0. Default 0.24, the cost on a CPU: an audit takes 1.2
   * times as long as a prefill of its tokens, and a CPU prefills 5 tokens in the time that it needs to generate
   * one. On a GPU the cost is far lower.
   */
  auditTokenCost: number

  // Reliability: complete and failed answers, decaying.

  /** Half-lives of the three horizons, milliseconds, each longer than the next. Defaults 7 d, 24 h, 30 min. */
  weekHalfLifeMs: number
  dayHalfLifeMs: number
  recentHalfLifeMs: number
  /**
   * Complete and failed answers that every peer begins with. Above 0. Defaults 1 and 0.25: the client tries an
   * unknown peer, but ranks it below every peer that is known to work.
   */
  priorComplete: number
  priorFailed: number
  /**
   * The most answers of a longer horizon that count in the next shorter one. Default 8: a new fault changes the
   * reliability within a few answers, however many good answers came before.
   */
  carriedEvidence: number

  // Penalties, in failed answers, 0 or more. For comparison: after ten complete answers within half an hour,
  // about three cut answers halve the reliability of a peer.

  /** The peer could not be dialled, though others could. Default 1. */
  unreachablePenalty: number
  /** The peer took the request and sent no reply, or no first token. Default 2. */
  silentPenalty: number
  /** The peer reported that its engine failed. Default 2. */
  crashedPenalty: number
  /** The peer stopped sending tokens in the middle of an answer. Default 3. */
  stalledPenalty: number
  /** The peer ended the stream without a terminal frame. Default 3. */
  cutPenalty: number
  /** The peer sent something that no honest node sends. Default 6. */
  violationPenalty: number

  // Speed: averages of logarithms that follow a worse sample quickly (Finagle's PeakEwma).

  /** Half-life of the measured speed of a peer, milliseconds. Default 30 min. */
  speedHalfLifeMs: number
  /** Weight of a new sample that is worse than the average, 0 to 1. Default 0.5. */
  speedPeakGain: number
  /** The least weight of a new sample that is better than the average, 0 to `speedPeakGain`. Default 0.1. */
  speedCalmGain: number
  /** How many samples the claim on a card is worth. Above 0. Default 1. */
  claimWeight: number

  // Blame: when the client's own network fails, every peer seems to fail.

  /**
   * If this many different peers fail within `blameWindowMs`, without a sign of life from any peer, the client
   * blames its own network. 2 or more. Default 3.
   */
  lossPeers: number
  /** How long a failure waits for a sign of life, which proves that the client's network works. ms. Default 60 s. */
  blameWindowMs: number
}

export const DEFAULT_REPUTATION: Readonly<ReputationParameters> = {
  quarantineEvidence: QUARANTINE,
  banEvidence: BAN,
  releaseEvidence: 1,
  probationTokens: 1_000,
  probationShare: 0.05,
  probationShareFloor: 0.004,
  auditFloor: 0.05,
  auditBudget: 0.025,
  auditAllowanceTokens: 1_500,
  auditTokenCost: 0.24,
  weekHalfLifeMs: 7 * 24 * 3_600_000,
  dayHalfLifeMs: 24 * 3_600_000,
  recentHalfLifeMs: 30 * 60_000,
  priorComplete: 1,
  priorFailed: 0.25,
  carriedEvidence: 8,
  unreachablePenalty: 1,
  silentPenalty: 2,
  crashedPenalty: 2,
  stalledPenalty: 3,
  cutPenalty: 3,
  violationPenalty: 6,
  speedHalfLifeMs: 30 * 60_000,
  speedPeakGain: 0.5,
  speedCalmGain: 0.1,
  claimWeight: 1,
  lossPeers: 3,
  blameWindowMs: 60_000
}

type Name = keyof ReputationParameters

/** An allowed range. Both ends are allowed, unless `above` is set. */
interface Range {
  least: number
  most: number
  /** The value `least` itself is not allowed. */
  above?: true
  /** The name of a parameter that this one must not exceed. */
  within?: Name
}

const SHARE: Range = { least: 0, most: 1 }
const WEIGHT: Range = { least: 0, most: 1_000 }
const POSITIVE: Range = { least: 0, most: 1_000, above: true }
const DURATION: Range = { least: 1_000, most: 366 * 24 * 3_600_000 }
const TOKENS: Range = { least: 0, most: 1e9 }

export const PARAMETER_RANGES: Readonly<Record<Name, Range>> = {
  quarantineEvidence: { least: 1, most: 1e12, above: true, within: 'banEvidence' },
  banEvidence: { least: 1, most: 1e12, above: true },
  releaseEvidence: { least: 0, most: 1e12, above: true, within: 'quarantineEvidence' },
  probationTokens: TOKENS,
  probationShare: SHARE,
  probationShareFloor: { ...SHARE, within: 'probationShare' },
  auditFloor: SHARE,
  auditBudget: SHARE,
  auditAllowanceTokens: TOKENS,
  auditTokenCost: POSITIVE,
  weekHalfLifeMs: DURATION,
  dayHalfLifeMs: { ...DURATION, within: 'weekHalfLifeMs' },
  recentHalfLifeMs: { ...DURATION, within: 'dayHalfLifeMs' },
  priorComplete: POSITIVE,
  priorFailed: POSITIVE,
  carriedEvidence: POSITIVE,
  unreachablePenalty: WEIGHT,
  silentPenalty: WEIGHT,
  crashedPenalty: WEIGHT,
  stalledPenalty: WEIGHT,
  cutPenalty: WEIGHT,
  violationPenalty: WEIGHT,
  speedHalfLifeMs: DURATION,
  speedPeakGain: SHARE,
  speedCalmGain: { ...SHARE, above: true, within: 'speedPeakGain' },
  claimWeight: POSITIVE,
  lossPeers: { least: 2, most: 100 },
  blameWindowMs: DURATION
}

/**
 * Returns the defaults with these changes.
 *
 * @throws RangeError with the name of the parameter, its value and its range
 */
export function reputationParameters(changes: Partial<ReputationParameters> = {}): ReputationParameters {
  const parameters = { ...DEFAULT_REPUTATION, ...changes }
  for (const [name, range] of Object.entries(PARAMETER_RANGES) as Array<[Name, Range]>) {
    const value = parameters[name]
    const low = range.above === true ? value > range.least : value >= range.least
    if (!low || !(value <= range.most)) {
      const from = range.above === true ? `above ${range.least}` : `from ${range.least}`
      throw new RangeError(`reputation parameter ${name} is ${value}; it must be ${from} to ${range.most}`)
    }
    if (range.within !== undefined && value > parameters[range.within]) {
      throw new RangeError(
        `reputation parameter ${name} is ${value}; it must not exceed ${range.within}, which is ${parameters[range.within]}`
      )
    }
  }
  return parameters
}
