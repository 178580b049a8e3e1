/** The measurements and their targets. Each function returns records that the report prints. */

import { crumb } from '../../../node/models/crumb.ts'
import { compare, sample } from './compare.ts'
import { ANSWER_LIMIT, ask } from './engine.ts'
import type { Loaded } from './engine.ts'
import { isRefusal, isRight } from './judge.ts'
import type { Question } from './judge.ts'

/** One printed number and its target. Without a target, `reached` is absent. */
export interface Measurement {
  readonly name: string
  readonly value: string
  readonly target?: string
  readonly reached?: boolean
}

/** The contents of `evaluation.json`. */
export interface Questions {
  readonly questions: readonly Question[]
  /** All answers of each relation. */
  readonly candidates: Readonly<Record<string, readonly string[]>>
  readonly storyPrompts: readonly string[]
}

export interface Scored {
  readonly question: Question
  readonly answer: string
  readonly right: boolean
}

export interface Story {
  readonly prompt: string
  readonly seed: number
  readonly text: string
  readonly tokens: number
}

const SUMS = 'sums and differences'
const UNKNOWN = 'does not know'
/** Categories that are not facts. They have their own floor, or none. */
const NOT_FACTS = new Set([SUMS, UNKNOWN, 'counting and sorting'])

const FACTS_FLOOR = 0.9
const SUMS_FLOOR = 0.8
const REFUSALS_FLOOR = 0.9
const RUN_ON_PROMPTS = 200
const RUN_ONS_ALLOWED = 2
const STORY_TEMPERATURE = 0.8
const DIFFERENT_STORIES = 15
const STORY_TOKENS = { least: 60, most: 200 }
const COMPARED_POSITIONS = 2000
const TOP_DIFFERENCE_FLOOR = 0.01
const SPEED_FLOOR = 600

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

export async function score(loaded: Loaded, { questions, candidates }: Questions): Promise<Scored[]> {
  const scored: Scored[] = []
  for (const question of questions) {
    const { text } = await ask(loaded, question.question)
    scored.push({ question, answer: text, right: isRight(question, candidates[question.relation] ?? [], text) })
  }
  return scored
}

/** Rows for all facts together, for each category, and for refused facts. */
export function scoreTable(scored: readonly Scored[]): Measurement[] {
  const row = (name: string, rows: readonly Scored[], floor?: number): Measurement => {
    const right = rows.filter((entry) => entry.right).length
    const value = `${right} of ${rows.length} (${percent(right / rows.length)})`
    return floor === undefined
      ? { name, value }
      : { name, value, target: `>= ${percent(floor)}`, reached: right / rows.length >= floor }
  }
  const categories = [...new Set(scored.map((entry) => entry.question.category))]
  const floors = new Map([
    [SUMS, SUMS_FLOOR],
    [UNKNOWN, REFUSALS_FLOOR]
  ])
  const facts = scored.filter((entry) => !NOT_FACTS.has(entry.question.category))
  return [
    row('all facts, in phrasings that the training text does not contain', facts, FACTS_FLOOR),
    row(
      'of these, by a writer who did not see the training text',
      facts.filter(({ question }) => question.blind === true)
    ),
    row(
      'of these, held out by the authors of the training text',
      facts.filter(({ question }) => question.blind !== true)
    ),
    ...categories.map((name) =>
      row(
        name,
        scored.filter((entry) => entry.question.category === name),
        floors.get(name)
      )
    ),
    row(
      'facts answered with "I do not know"',
      facts.map((entry) => ({ ...entry, right: isRefusal(entry.answer) }))
    )
  ]
}

/** Counts the answers that reach the token limit, with the library's default system message. */
export async function runOns(loaded: Loaded, prompts: readonly string[]): Promise<Measurement> {
  const step = prompts.length / RUN_ON_PROMPTS
  const chosen = Array.from({ length: RUN_ON_PROMPTS }, (_, index) => prompts[Math.floor(index * step)] ?? '')
  let count = 0
  for (const prompt of chosen) if (!(await ask(loaded, prompt, { system: 'default' })).ended) count++
  return {
    name: `answers to ${chosen.length} prompts: how many reach the limit of ${ANSWER_LIMIT} tokens`,
    value: String(count),
    target: `<= ${RUN_ONS_ALLOWED}`,
    reached: count <= RUN_ONS_ALLOWED
  }
}

export async function stories(loaded: Loaded, prompts: readonly string[]): Promise<Story[]> {
  const found: Story[] = []
  for (const [index, prompt] of prompts.entries()) {
    const { text } = await ask(loaded, prompt, { temperature: STORY_TEMPERATURE, seed: index + 1 })
    found.push({ prompt, seed: index + 1, text, tokens: loaded.model.tokenize(text).length })
  }
  return found
}

/** Counts the different stories of one prompt over the seeds. */
export function entropy(samples: readonly Story[]): Measurement {
  const fitting = samples.filter(({ tokens }) => tokens >= STORY_TOKENS.least && tokens <= STORY_TOKENS.most)
  const different = new Set(fitting.map(({ text }) => text)).size
  return {
    name: `different stories of ${STORY_TOKENS.least} to ${STORY_TOKENS.most} tokens to one prompt, ${samples.length} seeds, temperature ${STORY_TEMPERATURE}`,
    value: String(different),
    target: `>= ${DIFFERENT_STORIES}`,
    reached: different >= DIFFERENT_STORIES
  }
}

export async function variants(q8: Loaded, q4: Loaded, prompts: readonly string[]): Promise<Measurement[]> {
  const samples = await sample(q8, prompts, STORY_TEMPERATURE, COMPARED_POSITIONS)
  const { positions, sameTop, meanKl } = await compare(q8, q4, samples)
  const names = `${crumb.Q4_0.fileName} against ${crumb.Q8_0.fileName}, ${positions} positions`
  return [
    {
      name: `${names}: other top token`,
      value: percent(1 - sameTop),
      target: `>= ${percent(TOP_DIFFERENCE_FLOOR)}`,
      reached: 1 - sameTop >= TOP_DIFFERENCE_FLOOR
    },
    { name: `${names}: mean KL divergence`, value: `${meanKl.toFixed(4)} nats` }
  ]
}

/** Tokens per second of one stream on one thread. Takes the best of several runs, because other programs may run. */
export async function speed(loaded: Loaded): Promise<Measurement> {
  const [runs, length] = [5, 400]
  let best = 0
  for (let run = 0; run < runs; run++) {
    await loaded.sequence.clearHistory()
    const stream = loaded.sequence.evaluate(loaded.model.tokenize('Once upon a time'), {
      temperature: STORY_TEMPERATURE,
      topK: 0,
      topP: 1,
      minP: 0,
      seed: run,
      yieldEogToken: true
    })
    let count = -1
    let started = 0
    for await (const _ of stream) {
      // The time of the first token includes the prompt.
      if (++count === 0) started = performance.now()
      if (count === length) break
    }
    best = Math.max(best, (1000 * count) / (performance.now() - started))
  }
  return {
    name: `tokens per second, one thread, one stream (best of ${runs} times ${length})`,
    value: best.toFixed(0),
    target: `>= ${SPEED_FLOOR}`,
    reached: best >= SPEED_FLOOR
  }
}
