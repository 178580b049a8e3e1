/**
 * `npm run check [step …]`: checks types, lint (which includes the allowed directions of imports), format, dead code,
 * cycles of imports, generated code, the lock file and packaging. It prints one line for each step, and the output of a
 * failed step.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { PACKAGES } from './build.ts'
import { describeWideComments } from './check/comments.ts'
import { describeCycles } from './check/cycles.ts'
import { describeLockfile } from './check/lockfile.ts'
import { configurationIsFresh } from './configuration.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const GENERATED = 'protocol/messages/potluck_pb.ts'

interface Outcome {
  ok: boolean
  output: string
}

function run(command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    child.stderr.on('data', (data: Buffer) => (output += data.toString()))
    child.on('error', (error) => resolve({ ok: false, output: `${command}: ${error.message}\n` }))
    child.on('close', (code) => resolve({ ok: code === 0, output }))
  })
}

/** Runs the commands one after the other, up to the first that fails. */
async function inTurn(...commands: Array<[string, ...string[]]>): Promise<Outcome> {
  let output = ''
  for (const [command, ...args] of commands) {
    const outcome = await run(command, ...args)
    output += outcome.output
    if (!outcome.ok) return { ok: false, output }
  }
  return { ok: true, output }
}

async function generatedIsFresh(): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'potluck-generate-'))
  try {
    const outcome = await run('buf', 'generate', '--output', directory)
    if (!outcome.ok) return outcome
    const [fresh, committed] = [directory, ROOT].map((root) => readFileSync(join(root, GENERATED), 'utf8'))
    const stale = [
      ...(fresh === committed ? [] : [GENERATED]),
      ...(configurationIsFresh() ? [] : ['docs/configuration.md'])
    ]
    return { ok: stale.length === 0, output: `Out of date: ${stale.join(', ')}. Run "npm run generate".\n` }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function formatIsKept(): Promise<Outcome> {
  const code = await run('oxfmt', '--check')
  const comments = describeWideComments(ROOT)
  return { ok: code.ok && comments.length === 0, output: [code.output, ...comments].join('\n') }
}

async function cyclesAreAbsent(): Promise<Outcome> {
  const lines = describeCycles(ROOT)
  return { ok: lines.length === 0, output: lines.join('\n') }
}

async function lockfileIsComplete(): Promise<Outcome> {
  const unhashed = JSON.parse(readFileSync(join(ROOT, 'scripts/check/unhashed.json'), 'utf8')) as string[]
  const lines = describeLockfile(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'), unhashed)
  return { ok: lines.length === 0, output: lines.join('\n') }
}

const STEPS: Record<string, () => Promise<Outcome>> = {
  types: () => run('tsc', '--noEmit'),
  lint: () => run('oxlint'),
  format: formatIsKept,
  'dead-code': () => run('knip'),
  cycles: cyclesAreAbsent,
  generated: generatedIsFresh,
  lockfile: lockfileIsComplete,
  packaging: () =>
    inTurn(
      ['node', 'scripts/build.ts'],
      ...PACKAGES.flatMap((directory): Array<[string, ...string[]]> => [
        ['publint', '--strict', `${directory}/dist`],
        ['attw', '--profile', 'esm-only', '--pack', `${directory}/dist`]
      ]),
      ['node', 'scripts/packed.ts']
    )
}

const chosen = process.argv.slice(2)
const unknown = chosen.find((name) => !(name in STEPS))
if (unknown !== undefined) {
  console.error(`Unknown step "${unknown}". Use one of: ${Object.keys(STEPS).join(', ')}.`)
  process.exit(2)
}

let passed = 0
let failed = 0
for (const [name, step] of Object.entries(STEPS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const start = performance.now()
  const { ok, output } = await step().catch((error: unknown) => ({ ok: false, output: String(error) }))
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(10)} ${seconds.padStart(6)} s`)
  if (!ok) console.log(output.trimEnd())
  if (ok) passed++
  else failed++
}

// .ci/run reads this file and counts each step beside the tests.
const results = process.env.POTLUCK_CI_RESULTS
if (results !== undefined) writeFileSync(join(results, 'check'), `${passed} ${failed}\n`)
process.exitCode = failed === 0 ? 0 : 1
