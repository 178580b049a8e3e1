/**
 * What audits by other nodes change. Pure.
 *
 * Any node can lie in an audit, so such audits change less than those of the user's own engine or node:
 *
 * - A peer that one panel accuses is in doubt. It comes after all other probationary peers, until another panel
 *   decides.
 * - If panels of established nodes agree, they quarantine the peer. If panels of unproven nodes agree, it only comes
 *   last and cannot become established.
 * - Each of these effects ends after `othersQuarantineMs`, and the client then knows nothing of the peer again.
 * - Each answer counts only `othersAnswerTokens` for the end of the probation, so a probation takes several panels.
 * - After a probation of audits by the user's own engine, those by other nodes change nothing.
 */
import { DOUBT, type Evidence } from '../evidence/index.ts'
import type { ReputationParameters } from './parameters.ts'

/** Whether the client knew the nodes of a panel as honest: see `drawPanel`. */
export type PanelKind = 'established' | 'unproven'

export interface Finding {
  /** The e-process over the audits by panels of this kind. */
  evidence: Evidence
  logEvidence: number
  /** Audited tokens that count for the end of the probation. */
  tokens: number
  /** When the evidence reached `DOUBT`, milliseconds since the epoch. Undefined: it is lower now. */
  doubtedAt?: number | undefined
  /**
   * When the evidence reached `quarantineEvidence`, milliseconds since the epoch. Undefined: it has not, or is
   * released.
   */
  reachedAt?: number | undefined
}

export type Findings = Readonly<Partial<Record<PanelKind, Finding>>>

/** Returns the findings whose time has not ended. */
export function currentFindings(
  findings: Findings = {},
  { othersQuarantineMs }: Pick<ReputationParameters, 'othersQuarantineMs'>,
  now: number
): Findings {
  const isCurrent = (finding: Finding): boolean => {
    const since = accusedAt(finding)
    // If the clock was set back, the quarantine must not become longer.
    return since === undefined || Math.abs(now - since) < othersQuarantineMs
  }
  return Object.fromEntries(Object.entries(findings).filter(([, finding]) => isCurrent(finding)))
}

/** Returns when the quarantine or the doubt began. Undefined: the finding does not speak against the peer. */
export function accusedAt({ reachedAt, doubtedAt }: Finding): number | undefined {
  return reachedAt ?? doubtedAt
}

/** Returns the finding after one more audit. */
export function withFinding(
  before: Finding | undefined,
  { evidence, logEvidence }: Pick<Finding, 'evidence' | 'logEvidence'>,
  parameters: ReputationParameters,
  now: number
): Finding {
  const { quarantineEvidence, releaseEvidence, othersAnswerTokens } = parameters
  const audited = evidence.tokens - (before?.evidence.tokens ?? 0)
  const inDoubt = logEvidence >= Math.log(DOUBT)
  // An accused answer does not count. Otherwise the client would soon ask a peer in doubt again, to end its probation.
  const tokens = (before?.tokens ?? 0) + (inDoubt ? 0 : Math.min(audited, othersAnswerTokens))
  const doubtedAt = inDoubt ? (before?.doubtedAt ?? now) : undefined
  let reachedAt = before?.reachedAt
  if (logEvidence >= Math.log(quarantineEvidence)) reachedAt ??= now
  else if (logEvidence < Math.log(releaseEvidence)) reachedAt = undefined
  return { evidence, logEvidence, tokens, doubtedAt, reachedAt }
}
