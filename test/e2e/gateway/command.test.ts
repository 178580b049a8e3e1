/** `potluck gateway` as a user has it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { potluck, Running } from '../cli/command.ts'
import { post } from './harness.ts'

async function directory(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'potluck-gateway-'))
  onTestFinished(async () => await rm(home, { recursive: true, force: true }))
  return home
}

test('with a node of its own: serves, answers, and ends when asked', async () => {
  const home = await directory()
  const local = ['--local-node', '--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--slots', '1']
  const env = { POTLUCK_API_KEY: 'secret' }
  const running = new Running(['gateway', ...local, '--port', '0'], { home, env })
  onTestFinished(async () => void (await running.stop()))
  const { url, node, model } = await running.line('ready')
  expect(model).toBe('potluck/crumb:Q8_0')
  const body = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 }
  expect((await post(String(url), 'chat/completions', body)).status).toBe(401)
  const headers = { authorization: 'Bearer secret' }
  const response = await post(String(url), 'chat/completions', body, { headers })
  expect([response.status, response.headers.get('x-potluck-node')]).toEqual([200, node])
  expect(await response.json()).toMatchObject({ model, usage: { completion_tokens: 4 } })
  expect((await running.stop()).code).toBe(0)
})

test('what cannot be is said in one line', async () => {
  const home = await directory()
  const bootstrap = [
    '--no-mdns',
    '--bootstrap',
    '/ip4/127.0.0.1/tcp/9/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
  ]
  const open = await potluck(['gateway', ...bootstrap, '--host', '0.0.0.0'], { home })
  expect([open.code, open.stderr.trim()]).toEqual([
    1,
    'potluck: others could use the gateway at 0.0.0.0: set a key, or listen on 127.0.0.1'
  ])
})
