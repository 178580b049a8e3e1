/**
 * The internet as homes see it, in network namespaces of this test's own: a public address, and two
 * homes that reach it and not each other. Loopback hides what is different there: which addresses a
 * peer may tell, which ones a stranger may make others dial, and who is found only through a relay.
 */
import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

import type { Seen } from './homes.ts'

const HOMES = fileURLToPath(new URL('homes.ts', import.meta.url))
const INSIDE = ['--user', '--map-root-user', '--net', '--mount', '--fork', '--kill-child']

const allowed = spawnSync('unshare', [...INSIDE, 'ip', 'link', 'set', 'lo', 'up']).status === 0

test.skipIf(!allowed)('strangers at home meet through a relay that was told nothing of its address', async () => {
  const { stdout } = await promisify(execFile)('unshare', [...INSIDE, process.execPath, HOMES])
  const seen = JSON.parse(stdout) as Seen
  expect(seen.relay).toBe('directly, at a public address')
  expect(seen.node).toBe('through a relay')
  expect(seen.addresses.length).toBeGreaterThan(0)
  for (const address of seen.addresses) expect(address).toMatch(/^\/ip4\/5\.9\.0\.7\/tcp\/.*\/p2p-circuit\//)
  expect(seen.answer).toMatchObject({ type: 'finish', metadata: { relayed: true, encryption: '/noise', failures: [] } })
})
