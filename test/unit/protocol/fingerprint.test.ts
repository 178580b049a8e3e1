import { describe, expect, test } from 'vitest'

import {
  FINGERPRINT_BYTES,
  fingerprintOf,
  fingerprintsOf,
  gapsIn,
  MAX_GAP,
  medianFingerprints
} from '@potluck/protocol'

/** 64 logits with these gaps to the 2nd, 4th, 16th and 64th highest. */
function candidates(second: number, fourth: number, sixteenth: number, last: number): { logits: Float32Array } {
  const logits = Float32Array.from({ length: 64 }, (_, place) => {
    const gap = place === 0 ? 0 : place < 3 ? second : place < 15 ? fourth : place < 63 ? sixteenth : last
    return 20 - gap
  })
  return { logits }
}

describe('a fingerprint', () => {
  test('has the four gaps, each within half a step of 12 bits', () => {
    const all: [number, number, number, number][] = [
      [0, 0, 0, 0],
      [0.01, 0.5, 3, 9],
      [1, 8, 20, 60]
    ]
    for (const gaps of all) {
      const bytes = fingerprintOf(candidates(...gaps))
      expect(bytes).toHaveLength(FINGERPRINT_BYTES)
      gapsIn(bytes)[0]!.forEach((gap, rank) => {
        expect(Math.abs(gap - gaps[rank]!)).toBeLessThanOrEqual(0.000_56 * (1 + gaps[rank]!))
      })
    }
  })

  test('has golden bytes', () => {
    expect(Buffer.from(fingerprintOf(candidates(0.01, 0.5, 3, 9))).toString('hex')).toMatchInlineSnapshot(
      `"090017eaa482"`
    )
  })

  test('has the largest gap where there are fewer candidates, and where a gap is too large', () => {
    expect(gapsIn(fingerprintOf({ logits: Float32Array.of(5) }))).toEqual([[MAX_GAP, MAX_GAP, MAX_GAP, MAX_GAP]])
    const [few] = gapsIn(fingerprintOf({ logits: Float32Array.of(5, 4, 3, 2, 1) }))
    expect(few!.slice(2)).toEqual([MAX_GAP, MAX_GAP])
    expect(gapsIn(fingerprintOf(candidates(1, 2, 3, 1000)))[0]![3]).toBe(MAX_GAP)
  })

  test('of several auditors is the median of each gap', () => {
    const of = (...gaps: Parameters<typeof candidates>): Uint8Array => fingerprintsOf([candidates(...gaps)])
    const median = medianFingerprints([of(1, 2, 3, 9), of(0, 5, 4, 8), of(2, 3, 50, 50)])
    expect(median).toEqual(of(1, 3, 4, 9))
  })
})
