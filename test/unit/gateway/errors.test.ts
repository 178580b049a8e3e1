/** Tests the HTTP errors for the network's failures, and the guards that need no network. */
import { ERROR_POLICY, PotluckError, type ErrorCode } from '@potluck/protocol'
import { Hono } from 'hono'
import { expect, test } from 'vitest'

import { toApiError } from '../../../client/gateway/failure.ts'
import { guardRate } from '../../../client/gateway/guard/rate.ts'
import { ConcurrencyLimit } from '../../../client/gateway/guard/concurrency.ts'
import { ServedModels } from '../../../client/gateway/served-models.ts'
import type { HttpEnvironment } from '../../../client/gateway/http/context.ts'

const STATUS: Record<ErrorCode, number> = {
  busy: 429,
  rate_limited: 429,
  draining: 503,
  model_not_found: 404,
  context_length_exceeded: 400,
  invalid_request: 400,
  unsupported: 400,
  continuation_rejected: 502,
  engine_failed: 502,
  caller_stalled: 408,
  dial_failed: 503,
  dial_timeout: 503,
  request_timeout: 503,
  admission_timeout: 502,
  first_token_timeout: 502,
  token_timeout: 502,
  stream_cut: 502,
  relay_limit: 503,
  late_refusal: 502,
  protocol_violation: 502,
  no_providers: 503,
  aborted: 503
}

test.each(Object.keys(ERROR_POLICY) as ErrorCode[])(
  '%s has its status, and suggests a retry only if it can succeed',
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

test('busy nodes: the error gives the wait, and forbids a retry if SDKs would ignore the wait', () => {
  const soon = toApiError(new PotluckError('busy', 'busy', { retryAfterMs: 1_500 }))
  expect(soon.headers).toEqual({ 'x-should-retry': 'true', 'retry-after': '2', 'retry-after-ms': '1500' })
  const late = toApiError(new PotluckError('busy', 'busy', { retryAfterMs: 120_000 }))
  expect(late.headers).toMatchObject({ 'x-should-retry': 'false', 'retry-after': '120' })
})

test.each([
  [{}, 'Found no node that serves a model. Start one with `potluck serve`.'],
  [{ remedy: 'check the address' }, 'Found no node that serves a model: no peer answered; check the address.']
])('if no node was found, the error has the reason and the remedy: %o', async (options, message) => {
  const served = new ServedModels({ nodes: async function* () {} })
  const cause = new PotluckError('no_providers', 'no peer answered', options)
  const error = await served.explain(cause, { model: 'auto' }, new AbortController().signal)
  expect([error.status, error.body.error.message]).toEqual([503, message])
})

test('an unexpected error does not reveal its text', () => {
  const error = toApiError(new Error('the prompt was: secret'))
  expect([error.status, error.body.error.message]).toEqual([500, 'The gateway failed. Its log contains the reason.'])
})

test('each caller has its own bucket, which refills with time', async () => {
  let now = 0
  const app = new Hono<HttpEnvironment>()
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

test('the limit of answers accepts all answers of a request or none', () => {
  const limit = new ConcurrencyLimit(3)
  const release = limit.acquire(2)
  expect(() => limit.acquire(2)).toThrow('already runs 2 of at most 3 answers')
  release()
  limit.acquire(3)
})
