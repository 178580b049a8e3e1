/** Tests what npm runs when it installs or packs the repository. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, onTestFinished, test } from 'vitest'

import { PACKAGES } from '../../../scripts/build.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

test('an installation without the development dependencies succeeds, and says that it builds no page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'potluck-prepare-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  copyFileSync(join(ROOT, 'scripts', 'prepare.js'), join(folder, 'prepare.js'))
  const { status, stdout } = spawnSync(process.execPath, [join(folder, 'prepare.js')], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).toContain('The page of the gateway is not built')
})

test.each(PACKAGES)('npm refuses to pack the sources of %s', (directory) => {
  const cwd = join(ROOT, directory)
  const { status, stderr } = spawnSync('npm pack --dry-run', { cwd, encoding: 'utf8', shell: true })
  expect(status).not.toBe(0)
  expect(stderr).toContain('Cannot pack the sources. Run `npm run build`')
})
