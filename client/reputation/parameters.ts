/**
 * Every number of the reputation in one place: meaning, unit, allowed range. Validated when a
 * reputation is opened, so that a typo in a configuration cannot silently let liars in.
 */

import { BAN, QUARANTINE } from '../audit/constants.ts'

export interface ReputationParameters {
  // Integrity: the evidence of audits. Evidence is an e-value: by Ville's inequality an honest peer's
  // exceeds E at any time of its life with a probability of at most 1/E.

  /** Evidence at which a peer gets no more requests, only probes. Above 1. Default `QUARANTINE` of the audit, 30. */
  quarantineEvidence: number
  /** Evidence at which a key is banned for good. Not below `quarantineEvidence`. Default `BAN` of the audit, 1,000. */
  banEvidence: number
  /** A peer that was quarantined comes back when later audits bring its evidence below this. Default 1, at most `quarantineEvidence`. */
  releaseEvidence: number

  // Newcomers: keys are free, so a new one gets little and is watched.

  /** Audited tokens after which a peer with clean audits is no newcomer any more. Default 1,000: some five answers, so that a peer that is honest half of the time gets through in 3 of 100 trials. */
  probationTokens: number
  /** Most of the requests that go to newcomers while an established peer is there, 0 to 1. Default 0.05. */
  probationShare: number
  /** What is left of it where newcomers were bad every time, 0 to `probationShare`. Default 0.004: a network of liars must stay open to the honest. */
  probationShareFloor: number

  // Audits: rate and cost.

  /** Share of an established peer's answers that is audited however long it was honest, 0 to 1. Default 0.05. */
  auditFloor: number
  /** Audits' share of all compute, 0 to 1. Default 0.025; with the allowance below it stays under 5 % from the 200th request on. */
  auditBudget: number
  /** What may be spent on audits beforehand, tokens of generation. Default 1,500: the newcomers of a first session. */
  auditAllowanceTokens: number
  /** Cost of one audited token in generated ones, above 0. Default 0.24: 1.2 prefills, each a fifth of a decode on a CPU; on a GPU it is far less. */
  auditTokenCost: number
  /**
   * Part of the audit budget that checking others' accusations may take, and part of that for sources
   * that were never right before, 0 to 1. Default 0.4: slander must not starve the audits.
   */
  recheckShare: number

  // Reliability: complete against failed, decaying.

  /** Half-lives of the three horizons, milliseconds, each longer than the next. Defaults 7 d, 24 h, 30 min. */
  weekHalfLifeMs: number
  dayHalfLifeMs: number
  recentHalfLifeMs: number
  /** Evidence that a peer begins with, answers. Above 0. Defaults 1 complete and 0.25 failed: tried, but below any peer that is known to work. */
  priorComplete: number
  priorFailed: number
  /** The most evidence that a longer horizon lends to a shorter one, answers. Default 8: a new fault shows within a few answers. */
  carriedEvidence: number

  // Penalties, in failed answers; 0 or more. Against the ten complete answers of a good half hour:
  // about three cut answers halve a peer's reliability.

  /** Could not be dialled, though others could. Default 1. */
  unreachablePenalty: number
  /** Took the request and sent no word, or no first token. Default 2. */
  silentPenalty: number
  /** Its engine failed, and it said so. Default 2. */
  crashedPenalty: number
  /** Stopped in the middle of an answer. Default 3. */
  stalledPenalty: number
  /** Ended the stream without a terminal frame. Default 3. */
  cutPenalty: number
  /** Sent what no honest node sends. Default 6. */
  violationPenalty: number

  // Others' praise.

  /** What one attestation adds to the complete answers a peer begins with. Default 0.05. */
  praiseWeight: number
  /** All praise together, answers. Default 0.5: a thousand invented friends are worth half an answer. */
  praiseCap: number

  // Speed: averages of logarithms, quick to believe bad news (Finagle's PeakEwma).

  /** Half-life of what is known of a peer's speed, milliseconds. Default 30 min. */
  speedHalfLifeMs: number
  /** Weight of a new sample that is worse than the average, 0 to 1. Default 0.5. */
  speedPeakGain: number
  /** The least weight of one that is better, 0 to `speedPeakGain`. Default 0.1. */
  speedCalmGain: number
  /** How many samples a card's claim is worth, above 0. Default 1. */
  claimWeight: number

  // Blame: a failure of the client's own network looks like one of every peer.

  /** Peers failing in a row, without a sign of life from any, that mean the client's own network. 2 or more. Default 3. */
  lossPeers: number
  /** How long a failure waits for a sign of life that proves the client's network, milliseconds. Default 60 s. */
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
  recheckShare: 0.4,
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
  praiseWeight: 0.05,
  praiseCap: 0.5,
  speedHalfLifeMs: 30 * 60_000,
  speedPeakGain: 0.5,
  speedCalmGain: 0.1,
  claimWeight: 1,
  lossPeers: 3,
  blameWindowMs: 60_000
}

type Name = keyof ReputationParameters

/** Inclusive, but for `above`. */
interface Range {
  least: number
  most: number
  /** The least value itself is not allowed. */
  above?: true
  /** Another parameter that this one must not exceed. */
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
  recheckShare: SHARE,
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
  praiseWeight: { ...WEIGHT, within: 'praiseCap' },
  // A praised stranger must never weigh like one complete answer.
  praiseCap: { least: 0, most: 1 },
  speedHalfLifeMs: DURATION,
  speedPeakGain: SHARE,
  speedCalmGain: { ...SHARE, above: true, within: 'speedPeakGain' },
  claimWeight: POSITIVE,
  lossPeers: { least: 2, most: 100 },
  blameWindowMs: DURATION
}

/**
 * The defaults with what differs from them.
 *
 * @throws RangeError that names the parameter, its value and its range
 */
export function reputationParameters(changes: Partial<ReputationParameters> = {}): ReputationParameters {
  const parameters = { ...DEFAULT_REPUTATION, ...changes }
  for (const [name, range] of Object.entries(PARAMETER_RANGES) as Array<[Name, Range]>) {
    const value = parameters[name]
    const low = range.above === true ? value > range.least : value >= range.least
    if (!low || !(value <= range.most)) {
      const from = range.above === true ? `above ${range.least}` : `from ${range.least}`
      throw new RangeError(`reputation parameter ${name} is ${value}; it has to be ${from} to ${range.most}`)
    }
    if (range.within !== undefined && value > parameters[range.within]) {
      throw new RangeError(
        `reputation parameter ${name} is ${value}, above ${range.within} (${parameters[range.within]})`
      )
    }
  }
  return parameters
}
