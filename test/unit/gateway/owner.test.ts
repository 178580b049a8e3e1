import { Hono } from 'hono'
import { expect, test } from 'vitest'

import { guardOwner } from '../../../client/gateway/guard/owner.ts'
import type { HttpEnvironment } from '../../../client/gateway/http/context.ts'

async function from(remoteAddress: string | undefined, path: string): Promise<number> {
  const app = new Hono<HttpEnvironment>()
  app.use('/potluck/v1/node/*', guardOwner())
  app.all('*', (context) => context.text('passed'))
  app.onError((error, context) => context.text(error.message, 403))
  const response = await app.request(path, {}, { incoming: { socket: { remoteAddress } } })
  return response.status
}

test('only programs on this machine see and pause the node', async () => {
  for (const address of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1']) {
    expect([address, await from(address, '/potluck/v1/node')]).toEqual([address, 200])
  }
  for (const address of ['192.168.1.2', '::ffff:10.0.0.1', 'fe80::1', '127.evil', undefined]) {
    expect([address, await from(address, '/potluck/v1/node')]).toEqual([address, 403])
    expect([address, await from(address, '/potluck/v1/node/pause')]).toEqual([address, 403])
  }
  expect(await from('192.168.1.2', '/potluck/v1/nodes')).toBe(200)
})
