/** Runs many streams at once. `npm run bench -- gateway-load` runs them longer and measures them. */
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'

import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { runLoad } from '../../bench/gateway/load.ts'
import { node, until } from '../node/harness.ts'
import { gateway, post } from './harness.ts'

test('fifty streams at once: each character arrives once and in order', async () => {
  const { answers, tokens } = await runLoad({ streams: 50, answers: 2, tokens: 100, paceMs: 0, through: 'gateway' })
  expect([answers, tokens]).toEqual([100, 10_000])
})

test('a caller that reads nothing does not slow other callers down, and its node stops when the buffers are full', async () => {
  const serving = await node(new ScriptedEngine({ slots: 2, contextLength: 131_072 }))
  const { url } = await gateway([serving])
  const ask = { messages: [{ role: 'user', content: 'hello' }], logit_bias: { 257: -100 } }
  const slow = request(`${url}/v1/chat/completions`, { method: 'POST', agent: false })
  onTestFinished(() => void slow.destroy())
  slow.end(JSON.stringify({ ...ask, stream: true, max_tokens: 131_000, logprobs: true, top_logprobs: 20 }))
  const [started] = (await once(slow, 'response')) as [IncomingMessage]
  expect(started.statusCode).toBe(200)
  for (let index = 0; index < 5; index++) {
    expect((await post(url, 'chat/completions', { ...ask, max_tokens: 100 })).status).toBe(200)
  }
  // The slow answer is not complete, because no buffer can hold its hundreds of megabytes.
  await until(serving, ({ requestsRunning }) => requestsRunning === 1)
})
