import { expect, test } from 'vitest'
import { refusalOf, type Contender } from '../../../client/select/index.ts'
import { contender, names, NOW, ranked, REQUEST, seeded } from './help.ts'

const SLOW = { prefillTokensPerSecond: 100, decodeTokensPerSecond: 10 }

const REFUSED: Array<[string, Partial<Contender>, string]> = [
  ['banned', { standing: 'banned' }, 'banned'],
  ['quarantined', { standing: 'quarantined' }, 'quarantined'],
  ['leaving', { draining: true }, 'draining'],
  ['without a feature', { suitable: false }, 'not_suitable'],
  ['with too short a context', { contextLength: 500 }, 'context_too_short']
]

test.each(REFUSED)('the gate: a node that is %s gets nothing, however fast it is', (_, changes, refusal) => {
  const fast = { claims: { prefillTokensPerSecond: 1e6, decodeTokensPerSecond: 1e4 } }
  const bad = contender('bad', { ...fast, ...changes })
  expect(refusalOf(bad, REQUEST, 'open')).toBe(refusal)
  expect(names(ranked([bad, contender('good', { claims: SLOW })]))).toEqual(['good'])
})

test('trusted only and local only', () => {
  const all = [contender('own', { local: true }), contender('friend', { trusted: true }), contender('other')]
  expect(names(ranked(all, { mode: 'local' }))).toEqual(['own'])
  expect(names(ranked(all, { mode: 'trusted' })).sort()).toEqual(['friend', 'own'])
  expect(ranked(all)).toHaveLength(3)
})

test('the own node comes first while it has a free slot, however slow', () => {
  const own = contender('own', { local: true, claims: SLOW })
  expect(names(ranked([contender('fast'), own]))[0]).toBe('own')
  const busy = contender('own', {
    local: true,
    claims: SLOW,
    load: { active: 2, queued: 0, slots: 2, estimatedWaitMs: 9_000 }
  })
  expect(names(ranked([contender('fast'), busy]))[0]).toBe('fast')
})

test('the quicker node first: rates, queue, round trip', () => {
  const all = [
    contender('slow', { claims: SLOW }),
    contender('queued', { load: { active: 2, queued: 1, slots: 2, estimatedWaitMs: 8_000 } }),
    contender('far', { roundTripMs: 900 }),
    contender('best')
  ]
  expect(names(ranked(all)).slice(0, 2)).toEqual(['best', 'far'])
})

test('cold before hot: requests in flight decide where the predicted time lags behind', () => {
  const crowd = Array.from({ length: 8 }, (_, index) => contender(`cold-${index}`, { claims: SLOW }))
  const hot = contender('hot', { load: { active: 2, queued: 6, slots: 2, estimatedWaitMs: 0 } })
  const choices = ranked([hot, ...crowd])
  expect(choices.at(-1)).toMatchObject({ contender: { peer: 'hot' }, why: 'hot' })
  // With a free slot a node is cold, whatever the others do.
  const oneOfTwo = contender('one of two', { load: { active: 1, queued: 0, slots: 2, estimatedWaitMs: 0 } })
  expect(names(ranked([oneOfTwo, ...crowd]))[0]).toBe('one of two')
})

test('our own requests count at once, before the node can tell of them', () => {
  const load = { active: 0, queued: 0, slots: 1, estimatedWaitMs: 0 }
  const used = contender('used', { load, inFlight: 3, sentSince: 3 })
  expect(names(ranked([used, contender('free', { load, roundTripMs: 300 })]))[0]).toBe('free')
})

test('what a load is worth wears off', () => {
  const load = { active: 2, queued: 4, slots: 2, estimatedWaitMs: 20_000 }
  const other = contender('other', { claims: { prefillTokensPerSecond: 500, decodeTokensPerSecond: 25 } })
  expect(names(ranked([contender('told', { load }), other]))[0]).toBe('other')
  expect(names(ranked([contender('told', { load, loadAt: NOW - 120_000 }), other]))[0]).toBe('told')
})

test("who holds the conversation's beginning comes first, unless it has become much slower", () => {
  const request = { promptTokens: 4_000, maxTokens: 500, answerTokens: 100 }
  const claims = { prefillTokensPerSecond: 800, decodeTokensPerSecond: 40 }
  const holder = contender('holder', { cachedTokens: 3_900, claims })
  const [first] = ranked([contender('other'), holder], {}, request)
  expect(first).toMatchObject({ contender: { peer: 'holder' }, why: 'holds_prefix' })
  const busy = contender('holder', {
    cachedTokens: 3_900,
    claims,
    load: { active: 2, queued: 9, slots: 2, estimatedWaitMs: 90_000 }
  })
  expect(names(ranked([contender('other'), busy], {}, request))[0]).toBe('other')
})

test('an unreliable node is drawn seldom, but is drawn', () => {
  const random = seeded(7)
  const all = [contender('good'), contender('bad', { reliability: { alpha: 1, beta: 3 } })]
  const firsts = Array.from({ length: 400 }, () => names(ranked(all, { random }))[0])
  const bad = firsts.filter((peer) => peer === 'bad').length
  expect(bad).toBeLessThan(20)
  const close = [
    contender('good', { reliability: { alpha: 9, beta: 1 } }),
    contender('fair', { reliability: { alpha: 6, beta: 1 } })
  ]
  const fair = Array.from({ length: 400 }, () => names(ranked(close, { random }))[0]).filter((peer) => peer === 'fair')
  expect(fair.length).toBeGreaterThan(40)
})

test('newcomers get their share and no more while an established node is there', () => {
  const random = seeded(3)
  const newcomers = Array.from({ length: 20 }, (_, index) =>
    contender(`new-${index}`, {
      standing: 'probationary',
      auditedTokens: 0,
      claims: { prefillTokensPerSecond: 1e6, decodeTokensPerSecond: 1e4 }
    })
  )
  const first = (probationShare: number): string =>
    ranked([contender('known'), ...newcomers], { random, probationShare })[0]!.why
  const drawn = Array.from({ length: 1_000 }, () => first(0.05)).filter((why) => why === 'probation_share')
  expect(drawn.length).toBeGreaterThan(25)
  expect(drawn.length).toBeLessThan(80)
  expect(Array.from({ length: 200 }, () => first(0))).not.toContain('probation_share')
})

test('where nobody is established newcomers serve: a trial that has begun first, an awaited audit last', () => {
  const fresh = { standing: 'probationary', auditedTokens: 0 } as const
  const all = [
    contender('stranger', fresh),
    contender('unreadable', { ...fresh, claims: { prefillTokensPerSecond: 50, decodeTokensPerSecond: 2 } }),
    contender('awaited', { ...fresh, auditedTokens: 900, awaitedAudits: 1 }),
    contender('begun', { ...fresh, auditedTokens: 300 })
  ]
  expect(names(ranked(all))).toEqual(['begun', 'stranger', 'unreadable', 'awaited'])
})

test('newcomers: callers who come at once are spread, and who cuts its answers comes last', () => {
  const fresh = { standing: 'probationary', auditedTokens: 0 } as const
  const begun = contender('begun', { ...fresh, auditedTokens: 400 })
  const answering = contender('answering', { ...fresh, auditedTokens: 400, inFlight: 1 })
  const cutting = contender('cutting', { ...fresh, reliability: { alpha: 1, beta: 6.25 } })
  expect(names(ranked([cutting, answering, begun]))).toEqual(['begun', 'answering', 'cutting'])
  const [first] = ranked([contender('known'), answering, cutting], { probationShare: 1 })
  expect(first).toMatchObject({ contender: { peer: 'known' } })
})

test('a client that cannot audit weighs newcomers like all others', () => {
  const fresh = { standing: 'probationary', auditedTokens: 0 } as const
  const all = [
    contender('slow', { claims: SLOW }),
    contender('new', fresh),
    contender('slower', { ...fresh, claims: SLOW, roundTripMs: 900 })
  ]
  expect(names(ranked(all, { probation: false }))).toEqual(['new', 'slow', 'slower'])
  expect(names(ranked(all))[0]).toBe('slow')
})

test('every stranger has its turn: cards that claim more do not come first', () => {
  const random = seeded(5)
  const fresh = { standing: 'probationary', auditedTokens: 0 } as const
  const boaster = contender('boaster', {
    ...fresh,
    claims: { prefillTokensPerSecond: 1e6, decodeTokensPerSecond: 1e4 }
  })
  const all = [boaster, contender('a', fresh), contender('b', fresh)]
  const firsts = Array.from({ length: 300 }, () => names(ranked(all, { random }))[0])
  expect(firsts.filter((peer) => peer === 'boaster').length).toBeLessThan(140)
})

test('who asked to be left alone comes last, soonest first', () => {
  const all = [
    contender('later', { notBefore: NOW + 9_000 }),
    contender('soon', { notBefore: NOW + 500 }),
    contender('slow', { claims: SLOW })
  ]
  const choices = ranked(all)
  expect(names(choices)).toEqual(['slow', 'soon', 'later'])
  expect(choices[1]?.why).toBe('resting')
  expect(names(ranked(all, { now: NOW + 10_000 })).at(-1)).toBe('slow')
})
