/**
 * `npm run attacks -- [NAME…] [--short] [--json] [--minutes N]`: plays every attack, and prints what it achieved. The siege
 * lasts `--minutes`.
 */
import { parseArgs } from 'node:util'

import { table } from '../../node/cli/terminal/table.ts'
import { describeLimit, holds, type Attack } from './attack.ts'
import { loadAttacks } from './scenarios.ts'

/** @throws Error if an argument is not known */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '30' }
    }
  })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0.')
  const attacks = await loadAttacks()
  const names = positionals.length > 0 ? positionals : [...attacks.keys()]
  const unknown = names.find((name) => !attacks.has(name))
  if (unknown !== undefined) {
    console.error(`There is no attack "${unknown}". The attacks are: ${[...attacks.keys()].join(', ')}.`)
    return 2
  }
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))
  process.once('SIGTERM', () => interrupted.abort(new Error('Interrupted.')))

  const rows: string[][] = []
  let broken = 0
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
    for (const outcome of outcomes) {
      const held = holds(outcome)
      if (!held) broken++
      if (values.json) console.log(JSON.stringify({ attack: name, title, cost, before, ...outcome, held }))
      const now = `${outcome.metric}: ${format(outcome.value)}`
      rows.push([name, cost, before, now, describeLimit(outcome), held ? 'holds' : 'BROKEN'])
    }
  }
  if (!values.json) console.log(table(['attack', 'cost', 'before', 'now', 'limit', ''], rows))
  if (broken > 0) console.error(`${broken} of ${rows.length} limits do not hold.`)
  return broken > 0 ? 1 : 0
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 1
})
