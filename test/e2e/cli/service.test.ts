/** Tests `potluck service` with a program in place of systemctl, because a test must not change the user's services. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { plist } from '../../../node/cli/service/launchd.ts'
import { unit } from '../../../node/cli/service/systemd.ts'
import { task } from '../../../node/cli/service/windows.ts'
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

test.skipIf(process.platform !== 'linux')(
  'a service keeps the models, the bootstrap address and the config file',
  async () => {
    const config = join(home, 'other.toml')
    await writeFile(config, 'slots = 2\n')
    const address = '/ip4/203.0.113.7/tcp/4001'
    await service('install', 'crumb', 'potluck/crumb:Q4_0', '--bootstrap', address, '--config', config)
    const written = await readFile(join(home, 'systemd', 'user', 'potluck.service'), 'utf8')
    expect(written).toContain(
      `"serve" "crumb" "potluck/crumb:Q4_0" "--bootstrap" "${address}" "--config" "${config}"\n`
    )
    await service('uninstall')
  }
)

test('launchd and the Task Scheduler get the same command, escaped for XML', () => {
  const command = ['/bin/node', 'serve', 'a & "b".gguf']
  const agent = plist(command, '/log')
  expect(agent).toContain('<string>serve</string>\n    <string>a &amp; &quot;b&quot;.gguf</string>')
  // The node starts again after a crash, not after `potluck stop`.
  expect(agent).toMatch(/<key>KeepAlive<\/key>\s*<dict>\s*<key>SuccessfulExit<\/key>\s*<false\/>/)
  expect(task(['C:\\node.exe', 'serve', 'C:\\a & b.gguf'], 'C:\\log', 'cmd.exe')).toContain(
    '<Arguments>/d /s /c &quot;&quot;C:\\node.exe&quot; &quot;serve&quot; &quot;C:\\a &amp; b.gguf&quot; &gt;&gt; &quot;C:\\log&quot; 2&gt;&amp;1&quot;</Arguments>'
  )
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
