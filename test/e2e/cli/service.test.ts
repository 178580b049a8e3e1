/** Tests `potluck service` with a program in place of systemctl, because a test must not change the user's services. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { unit } from '../../../node/cli/daemon/systemd.ts'
import { potluck, type Finished } from './command.ts'

let home: string
let calls: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'potluck-service-'))
  calls = join(home, 'calls')
  await mkdir(join(home, 'bin'))
  const program = join(home, 'bin', 'systemctl')
  await writeFile(program, `#!/bin/sh\necho "$@" >> "${calls}"\n`)
  await chmod(program, 0o755)
})

afterAll(async () => await rm(home, { recursive: true, force: true }))

async function service(...args: string[]): Promise<Finished> {
  const env = { PATH: [join(home, 'bin'), process.env.PATH].join(delimiter) }
  return await potluck(['service', ...args], { home, env })
}

test.skipIf(process.platform !== 'linux')('a service is installed, started and removed', async () => {
  const path = join(home, 'systemd', 'user', 'potluck.service')
  expect((await service('install', 'crumb')).stderr).toContain('The node runs, and starts again when you log in.')
  expect(await readFile(path, 'utf8')).toMatch(/^ExecStart="\S+node" "\S+potluck\.js" "serve" "crumb"$/m)
  expect((await service('uninstall')).code).toBe(0)
  await expect(readFile(path)).rejects.toThrow('ENOENT')
  expect((await readFile(calls, 'utf8')).trim().split('\n')).toEqual([
    '--user daemon-reload',
    '--user enable --now potluck.service',
    '--user disable --now potluck.service',
    '--user daemon-reload'
  ])
  expect((await service('uninstall')).stderr).toContain('no service is installed')
})

test.skipIf(process.platform !== 'linux')('a service needs an action that exists, and a model', async () => {
  expect(await service('start')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('install, uninstall') as string
  })
  expect(await service('install')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('missing model') as string
  })
})

test('systemd does not expand what a path contains', () => {
  expect(unit(['/bin/node', '/a "b" 100% $HOME\\x'])).toContain(
    String.raw`ExecStart="/bin/node" "/a \"b\" 100%% $$HOME\\x"`
  )
})
