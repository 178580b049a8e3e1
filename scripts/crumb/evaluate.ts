/**
 * Measures the shipped model files against the ends of their issue, through node-llama-cpp.
 *
 *   node scripts/crumb/evaluate.ts             tables; the exit code is 1 when an end is missed
 *   node scripts/crumb/evaluate.ts --verbose   every wrong answer too
 *   node scripts/crumb/evaluate.ts --json      one object a line
 */

// Decodes wander over libuv's workers otherwise; must be set before the first of them starts.
process.env['UV_THREADPOOL_SIZE'] = '1'

import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'

import { crumb } from '../../node/models/crumb.ts'
import { entropy, runOns, score, scoreTable, speed, stories, variants } from './evaluate/ends.ts'
import type { Measurement, Questions, Scored, Story } from './evaluate/ends.ts'
import { load, openLlama } from './evaluate/engine.ts'

const ONE_PROMPT = 'Tell me a story.'
const SEEDS = 20

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } }
})
const started = performance.now()
const source = await readFile(new URL('evaluation.json', import.meta.url), 'utf8')
const asked = JSON.parse(source) as Questions
const { questions, storyPrompts } = asked

const llama = await openLlama()
const q8 = await load(llama, crumb.Q8_0.path)
const q4 = await load(llama, crumb.Q4_0.path)

const fast = await speed(q8)
const scored = await score(q8, asked)
const told = await stories(q8, storyPrompts)
const same = await stories(
  q8,
  Array.from({ length: SEEDS }, () => ONE_PROMPT)
)
const prompts = [...questions.map(({ question }) => question), ...storyPrompts]
const ends: Measurement[] = [
  await runOns(q8, prompts),
  entropy(same),
  ...(await variants(q8, q4, [...storyPrompts, ...prompts.filter((_, index) => index % 7 === 0)])),
  fast
]
await llama.dispose()
const seconds = (performance.now() - started) / 1000
ends.push({ name: 'this evaluation, seconds', value: seconds.toFixed(0), demanded: '<= 120', reached: seconds <= 120 })

const table = scoreTable(scored)
if (flags.json) printJson(table, ends, scored, told)
else printText(table, ends, scored, told)
process.exitCode = [...table, ...ends].every(({ reached }) => reached !== false) ? 0 : 1

function printJson(rows: Measurement[], measured: Measurement[], answers: Scored[], samples: Story[]): void {
  const line = (kind: string, entry: object): void => console.log(JSON.stringify({ kind, ...entry }))
  for (const row of rows) line('score', row)
  for (const end of measured) line('end', end)
  for (const { question, answer, right } of answers) line('answer', { ...question, answer, right })
  for (const story of samples) line('story', story)
}

function printText(rows: Measurement[], measured: Measurement[], answers: Scored[], samples: Story[]): void {
  const print = (heading: string, entries: Measurement[]): void => {
    console.log(`\n| ${heading} | measured | demanded | |\n|---|---|---|---|`)
    for (const { name, value, demanded = '', reached } of entries) {
      console.log(`| ${name} | ${value} | ${demanded} | ${reached === undefined ? '' : reached ? 'ok' : 'MISSED'} |`)
    }
  }
  console.log(`${crumb.Q8_0.fileName} ${crumb.Q8_0.sha256}\n${crumb.Q4_0.fileName} ${crumb.Q4_0.sha256}`)
  print('answers, greedy', rows)
  print('the rest', measured)
  console.log(`\n${samples.length} stories, temperature 0.8`)
  for (const { prompt, seed, text, tokens } of samples)
    console.log(`\n> ${prompt} (seed ${seed}, ${tokens} tokens)\n\n${text}`)
  if (!flags.verbose) return
  console.log('\nwrong answers')
  for (const { question, answer, right } of answers) {
    if (!right)
      console.log(
        `[${question.category}/${question.relation}] ${question.question} -> ${answer} (expected: ${question.expect.join(' | ') || 'that it does not know'})`
      )
  }
}
