import type { AuditResult, TokenMargin } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { countMeasured, withAudit } from '../../../client/evidence/count.ts'
import { cellOf } from '../../../client/evidence/bins.ts'
import { logEvidence, NO_EVIDENCE, type Evidence } from '../../../client/evidence/evidence.ts'

const exact = { gap: 0.5, margin: 0 }
const off = { gap: 0.2, margin: 0.5 }
const answer = { promptTokens: [1, 2, 3], answerTokens: [4, 5, 6, 7], fingerprints: new Uint8Array() }
const audited = (...measured: TokenMargin[]): Pick<AuditResult, 'measured' | 'fingerprints'> => ({
  measured,
  fingerprints: new Uint8Array()
})

describe('tokens', () => {
  test('are counted by cell, from the first token of the node', () => {
    const { cells, mismatches } = countMeasured(answer, [exact, off], [])
    expect(cells[cellOf(0.5, 0)]).toBe(1)
    expect(cells[cellOf(0.2, 0.5)]).toBe(1)
    expect(mismatches).toHaveLength(1)
    // The context of a mismatch depends only on the tokens before it, also if some of them are in the prompt.
    const [, same] = countMeasured(
      { promptTokens: [1, 2, 3, 4], answerTokens: [5, 6, 9] },
      [off, off, off],
      []
    ).mismatches
    expect(countMeasured(answer, [exact, exact, off, exact], []).mismatches[0]?.context).toBe(
      countMeasured({ promptTokens: [1, 2, 3, 4], answerTokens: [5, 99] }, [exact, off], []).mismatches[0]?.context
    )
    expect(same?.context).not.toBe(mismatches[0]?.context)
  })
})

describe('a repeated mismatch', () => {
  test('counts once in the same context, and again in another', () => {
    const measured = audited(exact, off, exact, exact)
    const once = withAudit(NO_EVIDENCE, answer, measured)
    const again = withAudit(once, answer, measured)
    const elsewhere = withAudit(once, { ...answer, promptTokens: [1, 2, 2] }, measured)
    expect(again.tokens).toBe(7)
    expect(elsewhere.tokens).toBe(8)
    expect(logEvidence(elsewhere)).toBeGreaterThan(logEvidence(again))
    expect(again.mismatches).toEqual(once.mismatches)
  })

  test('never leads to a ban, however often it is repeated', () => {
    let evidence: Evidence = NO_EVIDENCE
    for (let time = 0; time < 1000; time++) evidence = withAudit(evidence, answer, audited(exact, off, exact, exact))
    expect(evidence.peak).toBe(withAudit(NO_EVIDENCE, answer, audited(exact, off, exact, exact)).peak)
  })

  test('is remembered up to a bound', () => {
    const answerTokens = Array.from({ length: 1100 }, (_, token) => token)
    const evidence = withAudit(NO_EVIDENCE, { ...answer, answerTokens }, audited(...answerTokens.map(() => off)))
    expect(evidence.mismatches).toHaveLength(1024)
  })
})
