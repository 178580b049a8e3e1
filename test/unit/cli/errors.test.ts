/** Every failure that a command can see coming is one line: what, why, what to do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ERROR_POLICY, PotluckError, type ErrorCode } from '@potluck/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { nodes } from '../../../node/cli/commands/nodes.ts'
import { run } from '../../../node/cli/commands/run.ts'
import { serve } from '../../../node/cli/commands/serve.ts'
import { status } from '../../../node/cli/commands/status.ts'
import { tell, type Told } from '../../../node/cli/failure.ts'
import type { CommandRun } from '../../../node/cli/program.ts'
import { resolveSettings } from '../../../node/cli/settings/resolve.ts'
import type { Settings } from '../../../node/cli/settings/table.ts'

const NOBODY = '/ip4/127.0.0.1/tcp/9/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

let home: string
let noise: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'potluck-errors-'))
  noise = join(home, 'noise.gguf')
  await writeFile(noise, 'GGUF? no')
})

afterAll(async () => await rm(home, { recursive: true, force: true }))

async function failure(command: CommandRun, flags: Partial<Settings>, words: readonly string[] = ['x']): Promise<Told> {
  const env = { XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
  const settings = await resolveSettings({ flags: { mdns: false, json: true, ...flags }, env, configFile: undefined })
  const context = { settings, words, env, interrupted: new AbortController().signal }
  return tell(
    await command(context).then(
      () => 'did not fail',
      (error: unknown) => error
    )
  )
}

const CASES: Record<string, { fails: () => Promise<Told>; exitCode: number; says: string[] }> = {
  'no way to find anybody': { fails: async () => await failure(run, {}), exitCode: 2, says: ['--bootstrap', 'mDNS'] },
  'a bootstrap address that is none': {
    fails: async () => await failure(run, { bootstrap: ['relay'] }),
    exitCode: 1,
    says: ['"relay"', '/ip4/']
  },
  'a bootstrap peer that is not there': {
    fails: async () => await failure(nodes, { bootstrap: [NOBODY] }, []),
    exitCode: 1,
    says: ['bootstrap', 'potluck serve']
  },
  'a node of which nothing is known': {
    fails: async () => await failure(nodes, { bootstrap: [NOBODY] }),
    exitCode: 1,
    says: ['node x', 'potluck nodes']
  },
  'an address to announce that is none': {
    fails: async () => await failure(serve, { announce: ['here'] }),
    exitCode: 2,
    says: ['"here"', '/ip4/']
  },
  'a model file that is not there': {
    fails: async () => await failure(serve, { serveModel: '/nowhere.gguf' }),
    exitCode: 2,
    says: ['/nowhere.gguf', 'hf:user/repo:QUANT']
  },
  'a directory in place of a model': {
    fails: async () => await failure(serve, { serveModel: home }),
    exitCode: 2,
    says: ['is no file', 'GGUF']
  },
  'a file that is no model': {
    fails: async () => await failure(serve, { serveModel: noise }),
    exitCode: 1,
    says: ['noise.gguf']
  },
  'a digest that is not the file’s': {
    fails: async () => await failure(serve, { serveModel: noise, sha256: '0'.repeat(64) }),
    exitCode: 1,
    says: [`sha256:${'0'.repeat(64)}`, 'not served']
  },
  'a digest that is not crumb’s': {
    fails: async () => await failure(serve, { serveModel: 'crumb', sha256: '0'.repeat(64) }),
    exitCode: 1,
    says: [`sha256:${'0'.repeat(64)}`, 'not served']
  },
  'a digest that is none': {
    fails: async () => await failure(serve, { serveModel: noise, sha256: 'abc' }),
    exitCode: 2,
    says: ['--sha256', '64 hexadecimal']
  },
  'no daemon': { fails: async () => await failure(status, {}), exitCode: 1, says: ['potluck serve'] }
}

for (const [what, { fails, exitCode, says }] of Object.entries(CASES)) {
  test(what, async () => {
    const told = await fails()
    expect(told.exitCode).toBe(exitCode)
    expect(told.message).not.toContain('\n')
    for (const words of says) expect(told.message).toContain(words)
  })
}

describe('the protocol’s errors', () => {
  test('are one line with an exit code', () => {
    for (const code of Object.keys(ERROR_POLICY) as ErrorCode[]) {
      const told = tell(new PotluckError(code, 'what\n  happened'))
      expect(told.message).not.toContain('\n')
      expect(told.exitCode).toBe(code === 'aborted' ? 130 : 1)
    }
  })

  test('say when to come back', () => {
    expect(tell(new PotluckError('busy', 'full', { retryAfterMs: 2100 })).message).toBe('full; try again in 3 s')
  })
})
