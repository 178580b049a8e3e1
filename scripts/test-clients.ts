/**
 * `npm run test:clients [name …]`: runs the tests of real clients in `test/clients`, also those that download their
 * client. A run of all tests writes the table in `docs/recipes.md`, and a run of some writes their rows.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RECIPES = join(ROOT, 'docs/recipes.md')
const REPORT = join(ROOT, '.cache/clients.json')
const [BEGIN, END] = ['<!-- The table is made by `npm run test:clients`. -->\n', '<!-- End of the table. -->\n']

/** The part of vitest's report that the table needs. */
interface Report {
  testResults: {
    name: string
    message: string
    assertionResults: { title: string; status: string; failureMessages: string[] }[]
  }[]
}

function main(names: readonly string[]): number {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const files = names.length === 0 ? ['test/clients'] : names.map((name) => `test/clients/${name}`)
  const { status } = spawnSync(
    'npx',
    [
      'vitest',
      'run',
      ...files,
      '--maxWorkers=1',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${REPORT}`
    ],
    { cwd: ROOT, stdio: 'inherit', env: { ...process.env, POTLUCK_CLIENTS: '1' } }
  )
  writeTable(JSON.parse(readFileSync(REPORT, 'utf8')) as Report, names.length === 0)
  return status ?? 1
}

function writeTable({ testResults }: Report, whole: boolean): void {
  const text = readFileSync(RECIPES, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error('docs/recipes.md has no place for the table of clients')
  const earlier = whole
    ? []
    : text
        .slice(begin, end)
        .match(/(?<=---\|\n)(?:\|.*\n)*/)?.[0]
        .match(/.*\n/g)
  // The first cell names the client.
  const rows = new Map([...(earlier ?? []), ...testResults.map(row)].map((line) => [line.split(' | ')[0], line]))
  const lines = [...rows.values()].toSorted((a, b) => a.localeCompare(b))
  const table = `\n| client | version | works | tested |\n|---|---|---|---|\n${lines.join('')}\n`
  writeFileSync(RECIPES, text.slice(0, begin + BEGIN.length) + table + text.slice(end))
  process.stdout.write('Wrote the table of clients in docs/recipes.md.\n')
}

/** The first comment of a test has the form `client: what is tested`. */
function row({ name, message, assertionResults }: Report['testResults'][number]): string {
  const source = readFileSync(name, 'utf8')
  const comment = /^\/\*\*[\s*]*([^]*?)\s*\*\//.exec(source)?.[1]?.replaceAll(/\s*\n \* /g, ' ') ?? basename(name)
  const [client = '', tested = ''] = comment.replace(/\.$/, '').split(': ')
  const failed = assertionResults.find(({ status }) => status === 'failed')
  const reason = failed?.failureMessages[0] ?? message
  const works = reason === '' ? (assertionResults.some(({ status }) => status === 'passed') ? 'yes' : 'not run') : 'no'
  const why = reason === '' ? '' : `: ${failed?.title ?? ''} (${reason.split('\n')[0] ?? ''})`
  const cells = [client, versions(source).join(', '), `${works}${why}`, tested]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

/** The packages that the test pins itself, or the packages of this repository that it imports. */
function versions(source: string): string[] {
  const pinned = [...source.matchAll(/(?<=[' ])((?:@[\w.-]+\/)?[\w.-]+)(?:\[\w+\])?(@|==)(\d[\w.-]*)(?=[' ])/g)]
  if (pinned.length > 0) return pinned.map(([, name = '', , version = '']) => `${name} ${version}`)
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
  }
  const imported = new Set([...source.matchAll(/ from '((?:@[\w-]+\/)?[\w.-]+)/g)].map(([, name = '']) => name))
  return [...imported].flatMap((name) => {
    const version = devDependencies[name]
    if (version === undefined || name === 'vitest' || name === 'zod') return []
    // An alias, such as `npm:openai@6.49.0`, names the package itself.
    return version.startsWith('npm:') ? [version.slice('npm:'.length).replace('@', ' ')] : [`${name} ${version}`]
  })
}

process.exitCode = main(process.argv.slice(2))
