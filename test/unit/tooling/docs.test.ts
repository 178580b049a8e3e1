/** Statements of the documents about the repository, checked against its files. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

const documents = globSync('**/*.md', { cwd: ROOT, exclude: ['**/node_modules', '**/dist', '.cache', '**/.venv'] })

test('there are documents', () => {
  expect(documents).toContain('README.md')
})

test.each(documents)('every link of %s leads to a file', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target)
  expect(links.filter((target) => !existsSync(join(ROOT, dirname(document), target)))).toEqual([])
})

describe('the way of a prompt', () => {
  const [, way = ''] = /## The way of a prompt\n([^]*?)\n## /.exec(read('ARCHITECTURE.md')) ?? []
  const files = [...way.matchAll(/^\d+\. \[`([^`]+)`\]/gm)].map(([, file = '']) => file)

  test('reads in under eight files', () => {
    expect(files.length).toBeGreaterThan(3)
    expect(files.length).toBeLessThan(8)
  })
})

test('every npm script that a document names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/npm run ([a-z-]+)/g)].map(([, name]) => name)
  )
  expect([...new Set(named)].filter((name) => name === undefined || !(name in scripts))).toEqual([])
})
