/** `npm run attacks`: plays attacks, and prints what each achieved. See `USAGE`. */
import { parseArgs } from 'node:util'

import { describeLimit, holds, type Attack } from './attack.ts'
import { loadAttacks } from './scenarios.ts'

const USAGE = `Usage: npm run attacks -- [NAME…] [--short] [--json] [--minutes N]

Plays the named attacks, or all, and prints what each achieved.

  --short      plays the short form, as npm test does
  --json       prints one JSON object per line, for programs
  --minutes N  how long the siege lasts (default: 30)
  --help       prints this help`

/** @throws Error if an argument is not known */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '30' }
    }
  })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0.')
  const attacks = await loadAttacks()
  if (values.help) {
    console.log(`${USAGE}\n\nAttacks: ${[...attacks.keys()].join(', ')}`)
    return 0
  }
  const names = positionals.length > 0 ? positionals : [...attacks.keys()]
  const unknown = names.find((name) => !attacks.has(name))
  if (unknown !== undefined) {
    console.error(`There is no attack "${unknown}". The attacks are: ${[...attacks.keys()].join(', ')}.`)
    return 2
  }
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))
  process.once('SIGTERM', () => interrupted.abort(new Error('Interrupted.')))

  const count = { limits: 0, broken: 0 }
  for (const name of names) {
    interrupted.signal.throwIfAborted()
    const { title, cost, before, run, unavailable } = attacks.get(name) as Attack
    console.error(`${name}: ${title}`)
    const reason = unavailable?.()
    if (reason !== undefined) {
      console.error(`  Not played: ${reason}`)
      continue
    }
    const note = (text: string): void => console.error(`  ${text}`)
    const outcomes = await run({ short: values.short, minutes, signal: interrupted.signal, note })
    if (!values.json) console.log(`${name}\n  cost    ${cost}\n  before  ${before}`)
    for (const outcome of outcomes) {
      const held = holds(outcome)
      count.limits++
      if (!held) count.broken++
      if (values.json) console.log(JSON.stringify({ attack: name, title, cost, before, ...outcome, held }))
      else {
        const result = `${outcome.metric}: ${format(outcome.value)} (limit: ${describeLimit(outcome)})`
        console.log(`  ${held ? 'holds ' : 'BROKEN'}  ${result}`)
      }
    }
  }
  console.error(`${count.limits - count.broken} of ${count.limits} limits hold.`)
  return count.broken > 0 ? 1 : 0
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 1
})
