/** The network's failures as HTTP, and the guards that need no network. */
import { ERROR_POLICY, PotluckError, type ErrorCode } from '@potluck/protocol'
import { Hono } from 'hono'
import { expect, test } from 'vitest'

import { toApiError } from '../../../client/gateway/failure.ts'
import { guardRate } from '../../../client/gateway/guard/rate.ts'
import { Turnstile } from '../../../client/gateway/guard/turnstile.ts'
import type { Environment } from '../../../client/gateway/http/context.ts'

const STATUS: Record<ErrorCode, number> = {
  busy: 429,
  rate_limited: 429,
  draining: 503,
  model_not_found: 404,
  context_length_exceeded: 400,
  invalid_request: 400,
  unsupported: 400,
  engine_failed: 502,
  caller_stalled: 408,
  dial_failed: 503,
  dial_timeout: 503,
  request_timeout: 503,
  admission_timeout: 502,
  first_token_timeout: 502,
  token_timeout: 502,
  stream_cut: 502,
  protocol_violation: 502,
  no_providers: 503,
  aborted: 503
}

test.each(Object.keys(ERROR_POLICY) as ErrorCode[])(
  '%s has its status, and the caller is told of no retry in vain',
  (code) => {
    const error = toApiError(new PotluckError(code, 'what happened', { retryAfterMs: 1_500 }))
    expect(error.status).toBe(STATUS[code])
    const retried = error.status === 429 || (error.status === 503 && code !== 'aborted')
    expect(error.headers['x-should-retry']).toBe(String(retried))
    expect(error.body.error).toMatchObject({
      message: expect.stringMatching(/^[A-Z].*\.$/),
      param: expect.toSatisfy(() => true)
    })
  }
)

test('all busy: the soonest time, and no retry where the SDKs would guess their own', () => {
  const soon = toApiError(new PotluckError('busy', 'busy', { retryAfterMs: 1_500 }))
  expect(soon.headers).toEqual({ 'x-should-retry': 'true', 'retry-after': '2', 'retry-after-ms': '1500' })
  const late = toApiError(new PotluckError('busy', 'busy', { retryAfterMs: 120_000 }))
  expect(late.headers).toMatchObject({ 'x-should-retry': 'false', 'retry-after': '120' })
})

test('what nobody foresaw says nothing of itself', () => {
  const error = toApiError(new Error('the prompt was: secret'))
  expect([error.status, error.body.error.message]).toEqual([500, 'The gateway failed; its log says why.'])
})

test('a bucket for each caller, which fills again', async () => {
  let now = 0
  const app = new Hono<Environment>()
  app.onError((error, context) => context.json(toApiError(error).headers, 429))
  app.use(async (context, next) => {
    context.set('caller', context.req.header('x-caller') ?? '')
    await next()
  })
  app.use(guardRate(2, () => now))
  app.get('/', (context) => context.text('in'))
  const ask = async (caller: string): Promise<Response> => await app.request('/', { headers: { 'x-caller': caller } })
  expect([(await ask('a')).status, (await ask('a')).status]).toEqual([200, 200])
  expect(await (await ask('a')).json()).toMatchObject({ 'retry-after-ms': '30000' })
  expect((await ask('b')).status).toBe(200)
  now = 30_000
  expect([(await ask('a')).status, (await ask('a')).status]).toEqual([200, 429])
})

test('a turnstile lets in all answers of a request or none', () => {
  const turnstile = new Turnstile(3)
  const leave = turnstile.enter(2)
  expect(() => turnstile.enter(2)).toThrow('2 answers already')
  leave()
  turnstile.enter(3)
})
