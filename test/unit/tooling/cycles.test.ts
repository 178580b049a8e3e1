/** Tests `npm run check cycles` on small packages in a temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { describeCycles } from '../../../scripts/check/cycles.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'potluck-cycles-'))
  write({
    'package.json': JSON.stringify({ workspaces: ['low', 'high'] }),
    'low/package.json': JSON.stringify({
      name: '@test/low',
      exports: { '.': './index.ts', './part': './part/index.ts' }
    }),
    'high/package.json': JSON.stringify({
      name: '@test/high',
      exports: { '.': { node: './index.node.ts', default: './index.ts' } }
    })
  })
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(files: Record<string, string>): void {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), content)
  }
}

/** The cycles of a tree, each without the advice that follows it. */
function cyclesOf(files: Record<string, string>): string[] {
  write(files)
  return describeCycles(root).map((line) => line.slice(0, line.indexOf(': remove')))
}

test('a tree without cycles passes', () => {
  const files = {
    'low/index.ts': `export * from './constants.ts'\nexport * from './part/index.ts'`,
    'low/constants.ts': `export const A = 1`,
    'low/part/index.ts': `export * from './deep/b.ts'\nexport * from './c.ts'`,
    'low/part/deep/b.ts': `import { A } from '../../constants.ts'\nimport { C } from '../c.ts'\nexport const B = A + C`,
    'low/part/c.ts': `import fs from 'node:fs'\nimport x from './x.json'\nexport const C = 1`,
    'high/d.ts': `import { B } from '@test/low'\nimport { C } from '@test/low/part'\n// import './e.ts'`,
    'high/e.ts': `import './d.ts'\nconst text = "import './e.ts'"`
  }
  expect(cyclesOf(files)).toEqual([])
})

test('a cycle of files is reported together with all other files in cycles with it', () => {
  const files = {
    'low/a.ts': `import './b.ts'`,
    'low/b.ts': `import { a } from './a.ts'\nimport { c } from './c.ts'`,
    'low/c.ts': `export { d } from './d.ts'`,
    'low/d.ts': `export * from './b.ts'`
  }
  expect(cyclesOf({ ...files, 'low/e.ts': `import './a.ts'` })).toEqual([
    'Cycle of files: low/a.ts -> low/b.ts -> low/a.ts (in cycles with 2 more: low/c.ts, low/d.ts)'
  ])
})

test.each([
  ['import type', `import type { B } from './b.ts'`],
  ['a type among other names', `import { type B } from './b.ts'`],
  ['export type', `export type { B } from './b.ts'`],
  ['import() of a type', `export type A = import('./b.ts').B`],
  ['import() of a value', `export const a = await import('./b.ts')`]
])('a cycle through %s is reported', (_, source) => {
  const files = { 'low/part/a.ts': source, 'low/part/b.ts': `import type { A } from './a.ts'` }
  expect(cyclesOf(files)).toEqual(['Cycle of files: low/part/a.ts -> low/part/b.ts -> low/part/a.ts'])
})

test('a cycle of folders without a cycle of files is reported together with its imports', () => {
  write({
    'low/x/a.ts': `import '../y/b.ts'`,
    'low/y/b.ts': ``,
    'low/y/c.ts': `import type { D } from '../x/d.ts'`,
    'low/x/d.ts': ``
  })
  const [line, ...others] = describeCycles(root)
  expect(line).toMatch(/^Cycle of folders: low\/x -> low\/y -> low\/x: .*move/)
  expect(line).toContain('(low/x/a.ts imports low/y/b.ts, low/y/c.ts imports low/x/d.ts)')
  expect(others).toEqual([])
})

test('a folder and its own subfolder form a cycle, and so do packages', () => {
  const files = {
    'low/x/a.ts': `import './deep/b.ts'`,
    'low/x/c.ts': ``,
    'low/x/deep/b.ts': `import '../c.ts'`,
    'low/index.ts': `import '@test/high'`,
    'high/index.ts': ``,
    'high/index.node.ts': `import '@test/low'`
  }
  expect(cyclesOf(files)).toEqual([
    'Cycle of files: high/index.node.ts -> low/index.ts -> high/index.node.ts',
    'Cycle of folders: low/x -> low/x/deep -> low/x'
  ])
})

test('a file at the root of a package must not import a folder that imports it', () => {
  const files = { 'low/constants.ts': ``, 'low/a.ts': `import './x/b.ts'`, 'low/x/b.ts': `import '../constants.ts'` }
  expect(cyclesOf(files)).toEqual([])
  expect(cyclesOf({ 'low/constants.ts': `import './x/c.ts'`, 'low/x/c.ts': `` })).toEqual([
    'Cycle of folders: low/constants.ts -> low/x -> low/constants.ts'
  ])
})

test('a file that cannot be parsed is named', () => {
  expect(() => cyclesOf({ 'low/a.ts': 'import {' })).toThrow('Cannot parse low/a.ts')
})
