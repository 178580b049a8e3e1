/**
 * Two home networks and a public address, in network namespaces of the test. Each home can reach the public address,
 * but not the other home. This test checks what a test on loopback cannot: which addresses a peer publishes, which
 * addresses a peer can make others dial, and that a peer at home is reachable only through a relay.
 */
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

import type { Observed } from './homes.ts'

const HOMES = fileURLToPath(new URL('homes.ts', import.meta.url))
const INSIDE = ['--user', '--map-root-user', '--net', '--mount', '--fork', '--kill-child']

const allowed = spawnSync('unshare', [...INSIDE, 'ip', 'link', 'set', 'lo', 'up']).status === 0

test.skipIf(!allowed)('peers in two homes connect through a relay that finds its public address itself', async () => {
  const { stdout } = await promisify(execFile)('unshare', [...INSIDE, process.execPath, HOMES])
  const observed = JSON.parse(stdout) as Observed
  expect(observed.relay).toBe('directly, at a public address')
  expect(observed.node).toBe('through a relay')
  expect(observed.addresses.length).toBeGreaterThan(0)
  for (const address of observed.addresses) expect(address).toMatch(/^\/ip4\/5\.9\.0\.7\/tcp\/.*\/p2p-circuit\//)
  expect(observed.answer).toMatchObject({
    type: 'finish',
    metadata: { relayed: true, encryption: '/noise', failures: [] }
  })
})
