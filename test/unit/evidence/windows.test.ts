import { distancesOf, fingerprintsOf, windowsOf, type AuditResult, type Window } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { CELLS, TOKEN_CELLS, windowCell } from '../../../client/evidence/bins.ts'
import { HONEST_DISTANCE } from '../../../client/evidence/constants.ts'
import { withAudit } from '../../../client/evidence/count.ts'
import { logEvidence, NO_EVIDENCE, verdict, type Evidence } from '../../../client/evidence/evidence.ts'
import { LOG_RATIOS } from '../../../client/evidence/likelihood.ts'

/** The fingerprints of positions whose gaps are all larger than usual by `off`. */
function fingerprints(off: readonly number[]): Uint8Array {
  return fingerprintsOf(
    off.map((more) => ({
      logits: Float32Array.from({ length: 64 }, (_, place) => (place === 0 ? 10 + more : 8 - place / 10))
    }))
  )
}

const compared = (signed: Uint8Array, own: Uint8Array): Window[] => windowsOf(distancesOf(signed, own))

const repeated = (count: number, off: number): number[] => Array<number>(count).fill(off)

describe('windows', () => {
  test('have at least 16 positions and cover all of them', () => {
    const of = (count: number): number[] =>
      compared(fingerprints(repeated(count, 0)), fingerprints(repeated(count, 0))).map(({ end }) => end)
    expect(of(15)).toEqual([])
    expect(of(16)).toEqual([16])
    expect(of(31)).toEqual([31])
    expect(of(40)).toEqual([20, 40])
    expect(of(160)).toHaveLength(10)
  })

  test('have the distance of their median position, whatever a few positions say', () => {
    const own = fingerprints(repeated(16, 0))
    const [near] = compared(fingerprints([...repeated(7, 50), ...repeated(9, 0.05)]), own)
    expect(near!.distance).toBeCloseTo(0.05, 1)
    const [far] = compared(fingerprints([...repeated(7, 0), ...repeated(9, 0.8)]), own)
    expect(far!.distance).toBeCloseTo(0.8, 1)
  })

  test('leave out positions at which only one token is possible', () => {
    const forced = { logits: Float32Array.of(3) }
    const free = { logits: Float32Array.from({ length: 64 }, (_, place) => -place) }
    const own = fingerprintsOf(Array.from({ length: 40 }, (_, position) => (position % 2 === 0 ? forced : free)))
    expect(compared(own, own).map(({ end }) => end)).toEqual([40])
  })

  test('are not compared if the numbers of positions differ', () => {
    expect(compared(fingerprints(repeated(32, 0)), fingerprints(repeated(16, 0)))).toEqual([])
  })
})

describe('the evidence of windows', () => {
  const audit = (evidence: Evidence, answer: number, off: readonly number[]): Evidence => {
    const signed = {
      promptTokens: [answer],
      answerTokens: off.map((_, position) => position),
      fingerprints: fingerprints(off)
    }
    // No margin says anything: every token is exact, because one candidate has all of the probability.
    const measured: AuditResult['measured'] = off.map(() => ({ margin: 0, gap: Infinity }))
    return withAudit(evidence, signed, { measured, fingerprints: fingerprints(repeated(off.length, 0)) })
  }

  test('bans a node whose tokens are all exact and whose logits are of another model', () => {
    const once = audit(NO_EVIDENCE, 0, repeated(16, 0.7))
    expect(verdict(once)).not.toBe('banned')
    expect(verdict(audit(once, 1, repeated(16, 0.7)))).toBe('banned')
  })

  test('bans a node of which only the first window of each answer is far', () => {
    let evidence = NO_EVIDENCE
    for (let answer = 0; answer < 4; answer++) {
      evidence = audit(evidence, answer, [...repeated(16, 1.5), ...repeated(80, 0.03)])
    }
    expect(verdict(evidence)).toBe('banned')
  })

  test('never bans for single positions, however far they are', () => {
    let evidence = NO_EVIDENCE
    for (let answer = 0; answer < 500; answer++) evidence = audit(evidence, answer, [80, 80, ...repeated(30, 0.08)])
    expect(verdict(evidence)).toBe('clear')
  })

  test('counts a window once in the same context', () => {
    const once = audit(NO_EVIDENCE, 0, repeated(16, 0.5))
    let again = once
    for (let time = 0; time < 100; time++) again = audit(again, 0, repeated(16, 0.5))
    expect(logEvidence(again)).toBeLessThanOrEqual(logEvidence(once))
    expect(again.peak).toBe(once.peak)
  })

  test('expects no gain from an honest node at the bound, nor from one that is nearer', () => {
    const { median, steepness, least } = HONEST_DISTANCE
    for (const scale of [1, 0.7, 0.3]) {
      // 20,000 distances at the quantiles of the bound, and the part that the bound adds to each tail.
      const quantiles = Array.from({ length: 20_000 }, (_, index) => (index + 0.5) / 20_000).map(
        (chance) => scale * median * (1 / chance - 1) ** (1 / steepness)
      )
      for (const ratios of LOG_RATIOS) {
        const mean =
          quantiles.reduce((sum, distance) => sum + Math.exp(ratios[windowCell(distance)]!), 0) / quantiles.length
        expect((1 - least) * mean + least * Math.exp(ratios[CELLS - 1]!)).toBeLessThan(1.01)
      }
    }
  })

  test('grows with the distance', () => {
    for (const ratios of LOG_RATIOS) {
      const bins = ratios.slice(TOKEN_CELLS)
      expect(bins).toHaveLength(CELLS - TOKEN_CELLS)
      expect(bins).toEqual(bins.toSorted((a, b) => a - b))
    }
  })
})
