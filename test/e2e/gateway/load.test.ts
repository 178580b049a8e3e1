/** Many streams at once. `npm run bench -- gateway-load` is the same for longer, and prints what it takes. */
import { request } from 'node:http'
import { once } from 'node:events'

import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../../../node/index.ts'
import { runLoad } from '../../bench/gateway/load.ts'
import { node } from '../node/harness.ts'
import { gateway, post } from './harness.ts'

test('fifty streams at once: each character comes once and in its place', async () => {
  const { answers, tokens } = await runLoad({ streams: 50, answers: 2, tokens: 100, paceMs: 0, through: 'gateway' })
  expect([answers, tokens]).toEqual([100, 10_000])
})

test('a reader that takes nothing slows nobody else, and its node stops at what the buffers hold', async () => {
  const serving = await node(new ScriptedEngine({ slots: 2, contextLength: 131_072 }))
  const { url } = await gateway([serving])
  const ask = { messages: [{ role: 'user', content: 'hello' }], logit_bias: { 257: -100 } }
  const slow = request(`${url}/v1/chat/completions`, { method: 'POST', agent: false })
  onTestFinished(() => void slow.destroy())
  slow.end(JSON.stringify({ ...ask, stream: true, max_tokens: 131_000 }))
  await once(slow, 'response')
  for (let index = 0; index < 5; index++) {
    expect((await post(url, 'chat/completions', { ...ask, max_tokens: 100 })).status).toBe(200)
  }
  expect((await serving.metrics()).requestsRunning).toBe(1)
})
