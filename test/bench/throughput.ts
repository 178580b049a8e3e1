/**
 * Tokens per second of the same model in several targets:
 *
 * - `own-sampler`: the engine library (node-llama-cpp) alone
 * - `contract`: our engine, which is the library with the sampling contract
 * - `network`: the whole path from client to node
 * - `against`: any other server, with `--against URL`
 *
 * The targets take turns, so that other load on the machine affects all of them. The figures are medians over the
 * rounds. `--engine` leaves the network out.
 *
 * Our engine uses types of the KV cache with which a token's logits do not depend on the rest of its batch
 * (`node/engine/llama/cache.ts`). `own-sampler` uses the same types. With `--inexact` it uses the library's default,
 * F16, and the difference to `contract` then includes the cost of our types.
 */
import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { endTokens, resolveModel } from './model.ts'
import { processorMs } from './process-usage.ts'
import { median, type BenchContext } from './report.ts'
import { startAgainst } from './throughput/against.ts'
import { startContract } from './throughput/contract.ts'
import { startLibrary } from './throughput/library.ts'
import { startNetwork } from './throughput/network.ts'
import { distinctPrompts, take } from './throughput/prompts.ts'
import type { BenchModel, Prompt, Target } from './throughput/target.ts'

const PROMPT_TOKENS = 128
/** A tiny model generates 64 tokens in 40 ms, which is too short to measure. */
const ANSWER_TOKENS = { tiny: 256, other: 64 }
const TINY_BYTES = 64 * 1024 * 1024

export async function run(context: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...context.args],
    options: {
      model: { type: 'string', default: '0.5b' },
      against: { type: 'string' },
      rounds: { type: 'string', default: '9' },
      threads: { type: 'string', default: '1' },
      streams: { type: 'string', multiple: true, default: ['1', '4', '8'] },
      engine: { type: 'boolean', default: false },
      inexact: { type: 'boolean', default: false }
    }
  })
  const streams = values.streams.map(Number)
  const path = await resolveModel(values.model)
  const tokens = (await stat(path)).size < TINY_BYTES ? ANSWER_TOKENS.tiny : ANSWER_TOKENS.other
  const model: BenchModel = {
    path,
    slots: Math.max(...streams),
    // Twice what is needed: the client estimates the tokens of a prompt from its length, and its estimate can be too
    // high.
    contextLength: 2 * (PROMPT_TOKENS + tokens),
    threads: Number(values.threads)
  }
  const ends = await endTokens(path)
  const contract = await startContract(model, ends)
  const targets: Target[] = [contract]
  try {
    targets.unshift(await startLibrary({ ...model, inexact: values.inexact }))
    if (!values.engine) targets.push(await startNetwork(model, ends, context.signal))
    if (values.against !== undefined) targets.push(startAgainst(values.against))
    const prompts = distinctPrompts(contract.engine, PROMPT_TOKENS)
    const rates = await measure(targets, prompts, { rounds: Number(values.rounds), streams, tokens }, context)
    reportRates(targets, streams, rates, context)
  } finally {
    await Promise.all(targets.map((target) => target.close()))
  }
}

/** What each round measured, by `name/streams`. */
interface Rates {
  /** Tokens per second. */
  clock: Map<string, number[]>
  /**
   * Tokens per second of processor time of the process that evaluates. Only on Linux, for processes of this benchmark.
   */
  processor: Map<string, number[]>
}

async function measure(
  targets: readonly Target[],
  prompts: AsyncGenerator<Prompt, never, undefined>,
  { rounds, streams, tokens }: { rounds: number; streams: readonly number[]; tokens: number },
  { signal, note }: BenchContext
): Promise<Rates> {
  const rates: Rates = { clock: new Map(), processor: new Map() }
  // The first round does not count. In it, code is compiled, files are cached, and the engine finds its slice size.
  for (let round = 0; round <= rounds; round++) {
    note(round === 0 ? 'Warming up.' : `Round ${round} of ${rounds}.`)
    for (const count of streams) {
      for (let turn = 0; turn < targets.length; turn++) {
        signal.throwIfAborted()
        const target = targets[(turn + round) % targets.length]!
        const batch = await take(prompts, count)
        const tookBefore = target.pid && (await processorMs(target.pid))
        const began = performance.now()
        await target.run(batch, tokens, signal)
        const elapsed = performance.now() - began
        const tookAfter = target.pid && (await processorMs(target.pid))
        if (round === 0) continue
        const rate = (ms: number): number => (count * tokens * 1000) / ms
        push(rates.clock, `${target.name}/${count}`, rate(elapsed))
        if (tookBefore === undefined || tookAfter === undefined) continue
        push(rates.processor, `${target.name}/${count}`, rate(tookAfter - tookBefore))
      }
    }
  }
  return rates
}

function reportRates(
  targets: readonly Target[],
  streams: readonly number[],
  rates: Rates,
  { report }: BenchContext
): void {
  const of = (name: string, count: number): number[] => rates.clock.get(`${name}/${count}`) ?? []
  const names = targets.map(({ name }) => name)
  for (const name of names) {
    for (const count of streams) {
      const samples = of(name, count)
      report({
        case: `${name}/${count}`,
        metric: 'tokens_per_second',
        value: median(samples),
        unit: 'tokens/s',
        n: samples.length
      })
      const busy = rates.processor.get(`${name}/${count}`) ?? []
      if (busy.length === 0) continue
      const value = 1e6 / median(busy)
      report({ case: `${name}/${count}`, metric: 'processor_us_per_token', value, unit: 'us', n: busy.length })
    }
    const [least, most] = [streams[0]!, streams.at(-1)!]
    if (least < most) ratio(`${name}: ${most} / ${least} streams`, of(name, most), of(name, least), report)
  }
  for (const [above, below] of [
    ['contract', 'own-sampler'],
    ['network', 'contract'],
    ['own-sampler', 'against'],
    ['contract', 'against'],
    ['network', 'against']
  ] as const) {
    if (!names.includes(above) || !names.includes(below)) continue
    for (const count of streams) ratio(`${above} / ${below}, ${count}`, of(above, count), of(below, count), report)
    const [over, under] = [above, below].map((name) => (count: number) => rates.processor.get(`${name}/${count}`) ?? [])
    for (const count of streams.filter((each) => over!(each).length > 0 && under!(each).length > 0))
      ratio(`${above} / ${below}, ${count}, processor time`, over!(count), under!(count), report)
  }
}

/** Reports the median of the ratios of all rounds. Within one round, other load on the machine affects both sides. */
function ratio(name: string, above: readonly number[], below: readonly number[], report: BenchContext['report']): void {
  const ratios = above.map((value, round) => value / below[round]!)
  report({ case: name, metric: 'ratio', value: median(ratios), unit: '', n: ratios.length })
}

function push(rates: Map<string, number[]>, key: string, rate: number): void {
  const samples = rates.get(key)
  if (samples === undefined) rates.set(key, [rate])
  else samples.push(rate)
}
