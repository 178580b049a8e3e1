/** PROVISIONAL stand-in for `client/audit/evidence.ts` until its calibrated histogram is there. */
import type { Evidence } from '../../../client/audit/evidence.ts'

const HONEST = [0.9985, 0.001, 0.0004, 0.0001]
const OTHERS = [
  [0.977, 0.012, 0.009, 0.002],
  [0.958, 0.018, 0.018, 0.006],
  [0.925, 0.02, 0.035, 0.02]
]
const SHARES = [1, 0.3, 0.1]

export const NO_EVIDENCE: Evidence = { answers: 0, tokens: 0, tests: [], peak: 0 }

export function withAnswer(evidence: Evidence, cells: readonly number[]): Evidence {
  const answers = evidence.answers + 1
  const begins = -Math.log(answers * (answers + 1))
  const tests = OTHERS.flatMap((other, alternative) => {
    const ratio = cells.reduce((sum, count, cell) => sum + count * Math.log(other[cell]! / HONEST[cell]!), 0)
    return SHARES.map((share, index) => {
      const before = evidence.tests[alternative * SHARES.length + index] ?? -Infinity
      return addLogs(before, begins) + addLogs(Math.log(1 - share), Math.log(share) + ratio)
    })
  })
  const after = { answers, tokens: evidence.tokens + cells.reduce((sum, count) => sum + count, 0), tests }
  return { ...after, peak: Math.max(evidence.peak, logEvidence(after)) }
}

export function logEvidence({ answers, tests }: Pick<Evidence, 'answers' | 'tests'>): number {
  const yetToBegin = -Math.log(answers + 1)
  if (tests.length === 0) return yetToBegin
  return addLogs(tests.reduce(addLogs) - Math.log(tests.length), yetToBegin)
}

function addLogs(a: number, b: number): number {
  const high = Math.max(a, b)
  return high === -Infinity ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high))
}
