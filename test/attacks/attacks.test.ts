import { describe, expect, it } from 'vitest'

import { describeLimit, holds } from './attack.ts'
import { loadAttacks } from './scenarios.ts'

const attacks = await loadAttacks()

describe('attacks, in their short form', () => {
  it.for([...attacks])('%s fails', { timeout: 120_000 }, async ([, { run, unavailable }], { skip }) => {
    const reason = unavailable?.()
    skip(reason !== undefined, reason)
    const outcomes = await run({ short: true, minutes: 0, signal: AbortSignal.timeout(110_000), note: () => undefined })
    expect(outcomes).not.toEqual([])
    const broken = outcomes.filter((outcome) => !holds(outcome))
    expect(broken.map((outcome) => `${outcome.metric}: ${outcome.value}, limit ${describeLimit(outcome)}`)).toEqual([])
  })
})
