/**
 * Measures the shipped model files through node-llama-cpp, and compares the results with their targets.
 *
 *   npx node scripts/crumb/evaluate.ts             print tables; the exit code is 1 if a target is missed
 *   npx node scripts/crumb/evaluate.ts --verbose   also print every wrong answer
 *   npx node scripts/crumb/evaluate.ts --json      print one JSON object per line
 */

// Keeps evaluations on one thread of libuv's pool. This line must run before that pool starts.
process.env['UV_THREADPOOL_SIZE'] = '1'

import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'

import { crumb } from '../../node/models/crumb.ts'
import { entropy, runOns, score, scoreTable, speed, stories, variants } from './evaluate/measurements.ts'
import type { Measurement, Questions, Scored, Story } from './evaluate/measurements.ts'
import { load, openLlama } from './evaluate/engine.ts'

const ONE_PROMPT = 'Tell me a story.'
const SEEDS = 20

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } }
})
const started = performance.now()
const source = await readFile(new URL('evaluation.json', import.meta.url), 'utf8')
const evaluation = JSON.parse(source) as Questions
const { questions, storyPrompts } = evaluation

const llama = await openLlama()
const q8 = await load(llama, crumb.Q8_0.path)
const q4 = await load(llama, crumb.Q4_0.path)

const fast = await speed(q8)
const scored = await score(q8, evaluation)
const storySamples = await stories(q8, storyPrompts)
const same = await stories(
  q8,
  Array.from({ length: SEEDS }, () => ONE_PROMPT)
)
const prompts = [...questions.map(({ question }) => question), ...storyPrompts]
const measurements: Measurement[] = [
  await runOns(q8, prompts),
  entropy(same),
  ...(await variants(q8, q4, [...storyPrompts, ...prompts.filter((_, index) => index % 7 === 0)])),
  fast
]
await llama.dispose()
const seconds = (performance.now() - started) / 1000
measurements.push({ name: 'this evaluation, seconds', value: seconds.toFixed(0), target: '<= 120', reached: seconds <= 120 })

const table = scoreTable(scored)
if (flags.json) printJson(table, measurements, scored, storySamples)
else printText(table, measurements, scored, storySamples)
process.exitCode = [...table, ...measurements].every(({ reached }) => reached !== false) ? 0 : 1

function printJson(rows: Measurement[], measured: Measurement[], answers: Scored[], samples: Story[]): void {
  const line = (kind: string, entry: object): void => console.log(JSON.stringify({ kind, ...entry }))
  for (const row of rows) line('score', row)
  for (const measurement of measured) line('measurement', measurement)
  for (const { question, answer, right } of answers) line('answer', { ...question, answer, right })
  for (const story of samples) line('story', story)
}

function printText(rows: Measurement[], measured: Measurement[], answers: Scored[], samples: Story[]): void {
  const print = (heading: string, entries: Measurement[]): void => {
    console.log(`\n| ${heading} | measured | target | |\n|---|---|---|---|`)
    for (const { name, value, target = '', reached } of entries) {
      console.log(`| ${name} | ${value} | ${target} | ${reached === undefined ? '' : reached ? 'ok' : 'MISSED'} |`)
    }
  }
  console.log(`${crumb.Q8_0.fileName} ${crumb.Q8_0.sha256}\n${crumb.Q4_0.fileName} ${crumb.Q4_0.sha256}`)
  print('answers, greedy', rows)
  print('other measurements', measured)
  console.log(`\n${samples.length} stories, temperature 0.8`)
  for (const { prompt, seed, text, tokens } of samples)
    console.log(`\n> ${prompt} (seed ${seed}, ${tokens} tokens)\n\n${text}`)
  if (!flags.verbose) return
  console.log('\nwrong answers')
  for (const { question, answer, right } of answers) {
    if (!right)
      console.log(
        `[${question.category}/${question.relation}] ${question.question} -> ${answer} (expected: ${question.expect.join(' | ') || 'a refusal'})`
      )
  }
}
