import { fingerprintsOf, type AnswerRecord, type Audit } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { NOISE_LIMITS, USUAL_NOISE } from '../../../client/evidence/constants.ts'
import { withAudit } from '../../../client/evidence/count.ts'
import { logEvidence, NO_EVIDENCE } from '../../../client/evidence/evidence.ts'

const TOKENS = 64

/** Fingerprints whose gaps are all larger by `off` at each position. */
function fingerprints(off: (position: number) => number): Uint8Array {
  return fingerprintsOf(
    Array.from({ length: TOKENS }, (_, position) => ({
      logits: Float32Array.from({ length: 64 }, (__, place) => (place === 0 ? 10 + off(position) : 8 - place / 10))
    }))
  )
}

interface Given {
  /** How far the fingerprints of the node are from those of the auditor, in logits. */
  off?: number | ((position: number) => number)
  /** Of every eighth token. */
  margin?: number
  noise?: number
}

/** The evidence of one answer. */
function evidenceOf({ off = 0, margin = 0, noise }: Given): number {
  const signed: Pick<AnswerRecord, 'promptTokens' | 'answerTokens' | 'fingerprints'> = {
    promptTokens: [1],
    answerTokens: Array.from({ length: TOKENS }, (_, position) => position),
    fingerprints: fingerprints(typeof off === 'number' ? () => off : off)
  }
  const measured = signed.answerTokens.map((position) =>
    position % 8 === 3 ? { margin, gap: margin === 0 ? 1 : margin } : { margin: 0, gap: 1 }
  )
  const audit: Pick<Audit, 'measured' | 'fingerprints' | 'noise'> = {
    measured,
    fingerprints: fingerprints(() => 0),
    ...(noise === undefined ? {} : { noise })
  }
  return logEvidence(withAudit(NO_EVIDENCE, signed, audit))
}

describe('the noise of a model that the auditor measured', () => {
  test('makes the same distance weigh more if the model is quiet, and less if it is noisy', () => {
    const [quiet, usual, noisy] = [0.5, 1, 2].map((times) => evidenceOf({ off: 0.35, noise: times * USUAL_NOISE }))
    expect(quiet).toBeGreaterThan(usual! + 3)
    expect(usual).toBeGreaterThan(noisy! + 3)
    expect(noisy).toBeLessThan(0)
  })

  test('makes the same margins weigh more if the model is quiet, and less if it is noisy', () => {
    const given = { off: 1.5 * USUAL_NOISE, margin: 0.15 }
    const [quiet, usual, noisy] = [0.5, 1, 2].map((times) => evidenceOf({ ...given, noise: times * USUAL_NOISE }))
    expect(quiet).toBeGreaterThan(usual!)
    expect(usual).toBeGreaterThan(noisy!)
  })

  test('has limits, so that no measurement hides a cheat or bans an honest node', () => {
    const [least, most] = NOISE_LIMITS
    expect(evidenceOf({ off: 0.1, noise: 0 })).toBe(evidenceOf({ off: 0.1, noise: least * USUAL_NOISE }))
    expect(evidenceOf({ off: 2, noise: 1e9 })).toBe(evidenceOf({ off: 2, noise: most * USUAL_NOISE }))
    expect(evidenceOf({ off: 2, noise: 1e9 })).toBeGreaterThan(0)
  })
})

describe('the fingerprints of an answer', () => {
  test('excuse smaller margins if they are exactly those of the auditor', () => {
    const exact = evidenceOf({ margin: 0.05 })
    const usual = evidenceOf({ margin: 0.05, off: USUAL_NOISE })
    expect(exact).toBeGreaterThan(usual + 2)
  })

  test('excuse the margin of a single position that differs, in a window that agrees', () => {
    const elsewhere = evidenceOf({ margin: 0.05, off: (position) => (position % 8 === 5 ? USUAL_NOISE : 0) })
    const there = evidenceOf({ margin: 0.05, off: (position) => (position % 8 === 3 ? USUAL_NOISE : 0) })
    expect(there).toBeLessThan(elsewhere - 2)
  })

  test('never excuse more than the noise of the model', () => {
    const off = (times: number) => (position: number) => (position % 8 === 3 ? times * USUAL_NOISE : 0)
    expect(evidenceOf({ margin: 0.5, off: off(100) })).toBeCloseTo(evidenceOf({ margin: 0.5, off: off(1) }), 6)
  })
})
