import { describe, expect, it } from 'vitest'

import { describeLimit, holds } from './attack.ts'
import { loadAttacks } from './scenarios.ts'

const attacks = await loadAttacks()

describe('attacks, in their short form', () => {
  it.each([...attacks])(
    '%s fails',
    async (_name, { attack }) => {
      const outcomes = await attack.run({ short: true, signal: AbortSignal.timeout(110_000), note: () => undefined })
      expect(outcomes).not.toEqual([])
      const broken = outcomes.filter((outcome) => !holds(outcome))
      expect(broken.map((outcome) => `${outcome.metric}: ${outcome.value}, limit ${describeLimit(outcome)}`)).toEqual(
        []
      )
    },
    120_000
  )
})
