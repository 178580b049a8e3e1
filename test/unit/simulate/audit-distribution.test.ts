/**
 * The measured distribution from which the simulator draws its audits. With it, the client's real evidence must be able
 * to distinguish honest nodes from cheating nodes. An alternative is one assumption about how a cheating node computes.
 */
import { describe, expect, test } from 'vitest'
import { BINS, OUTCOMES } from '../../../client/evidence/bins.ts'
import { ALTERNATIVES } from '../../../client/evidence/constants.ts'
import { LOG_RATIOS } from '../../../client/evidence/likelihood.ts'
import { Random } from '../../../scripts/simulate/random.ts'
import { AuditModel, HONEST, readDistribution } from '../../../scripts/simulate/world/audit.ts'

const distribution = readDistribution()
/** The distribution has no windows of fingerprints. */
const OF_MARGINS = LOG_RATIOS.slice(0, ALTERNATIVES.length)
const mean = (shares: Readonly<Record<string, number>>, of: (cell: number) => number): number =>
  Object.entries(shares).reduce((sum, [cell, share]) => sum + share * of(Number(cell)), 0)

describe.each(Object.entries(distribution))('%s', (name, shares) => {
  test('is a distribution over cells', () => {
    for (const [cell, share] of Object.entries(shares)) {
      expect(Number(cell)).toBeLessThan(BINS * OUTCOMES)
      expect(share).toBeGreaterThan(0)
    }
    expect(mean(shares, () => 1)).toBeCloseTo(1, 3)
  })

  test.skipIf(name === HONEST)('makes the evidence for at least one alternative grow on average', () => {
    const growth = OF_MARGINS.map((ratios) => mean(shares, (cell) => ratios[cell]!))
    expect(Math.max(...growth)).toBeGreaterThan(0)
  })
})

test('for honest nodes, the mean likelihood ratio of every alternative is below 1', () => {
  const shares = distribution[HONEST]!
  for (const ratios of OF_MARGINS) expect(mean(shares, (cell) => Math.exp(ratios[cell]!))).toBeLessThan(1)
})

test('audits drawn from it ban every cheating node, and no honest node', () => {
  const model = new AuditModel(distribution)
  const random = new Random(11)
  for (const served of [HONEST, ...model.cheats]) {
    let finding: ReturnType<AuditModel['audit']> | undefined
    for (let answer = 0; answer < 40; answer++) finding = model.audit(served, 100, finding?.evidence, random)
    if (served === HONEST) expect(finding!.evidence.peak).toBeLessThan(Math.log(30))
    else expect(finding!.evidence.peak).toBeGreaterThan(Math.log(1000))
  }
})
