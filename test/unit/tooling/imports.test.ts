/** The direction of imports, as `npm run check lint` enforces it: each way that is forbidden is caught. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'potluck-lint-'))
  copyFileSync(join(ROOT, '.oxlintrc.json'), join(directory, '.oxlintrc.json'))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function lint(file: string, specifier: string): string {
  const path = join(directory, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `import * as it from '${specifier}'\nit.use()\n`)
  // The types of a file that stands alone are unknown, and not needed for its imports.
  const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/oxlint'), [path], { cwd: directory })
  return `${stdout.toString()}${stderr.toString()}`
}

test.each([
  ['protocol/card.ts', '@potluck/client'],
  ['protocol/wire/frame.ts', '../../node/index.ts'],
  ['protocol/card.ts', 'node:fs'],
  ['client/client.ts', '@potluck/node'],
  ['client/select/order.ts', '../../node/index.ts'],
  ['client/client.ts', 'node:fs'],
  ['client/client.ts', 'node-llama-cpp'],
  ['client/client.ts', '../protocol/card.ts'],
  ['node/node.ts', '@potluck/client'],
  ['node/serve/serve.ts', '../../client/index.ts'],
  ['node/engine/interface.ts', 'node-llama-cpp'],
  ['node/engine/llama/load.ts', '@potluck/client'],
  ['node/cli/main.ts', 'node-llama-cpp']
])('%s may not import %s', (file, specifier) => {
  expect(lint(file, specifier)).toContain('no-restricted-imports')
})

test.each([
  ['client/client.ts', '@potluck/protocol'],
  ['node/node.ts', '@potluck/protocol'],
  ['node/node.ts', 'node:fs'],
  ['node/cli/main.ts', '@potluck/client'],
  ['node/engine/llama/load.ts', 'node-llama-cpp'],
  ['test/e2e/any.test.ts', '@potluck/client']
])('%s may import %s', (file, specifier) => {
  expect(lint(file, specifier)).not.toContain('no-restricted-imports')
})
