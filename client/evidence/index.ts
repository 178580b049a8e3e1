/**
 * @module client/evidence
 *
 * The statistical test against one peer. All functions are pure. `countTokens` sorts the tokens of an
 * audited answer into cells, `withAudit` adds them to the evidence, `verdict` compares the evidence with
 * the limits, and `chanceOfMistake` states it for people.
 */
export { BAN, CERTAIN, QUARANTINE } from './constants.ts'
export { countTokens, newCells, withAudit, withCounted } from './count.ts'
export {
  answerEvidence,
  chanceOfMistake,
  logEvidence,
  NO_EVIDENCE,
  verdict,
  type Evidence,
  type Verdict
} from './evidence.ts'
