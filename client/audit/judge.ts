import type { AnswerRecord, AuditResult } from '@potluck/protocol'

import { CERTAIN, logEvidence, NO_EVIDENCE, QUARANTINE, withAudit } from '../evidence/index.ts'

export interface AnswerJudgement {
  /** The answer alone would put its node into quarantine. */
  failed: boolean
  /** Natural logarithm of the evidence that the node ran another model. */
  logEvidence: number
}

/**
 * Returns what the audit of one answer says, without the node's other answers. A short answer says little, so a
 * cheating node can pass. The result must be comparable.
 */
export function judgeAnswer(record: AnswerRecord, result: AuditResult): AnswerJudgement {
  if (result.violations.length > 0) return { failed: true, logEvidence: CERTAIN }
  const evidence = logEvidence(withAudit(NO_EVIDENCE, record, result))
  return { failed: evidence >= Math.log(QUARANTINE), logEvidence: evidence }
}
