/**
 * The time to the first token, by the length of the prompt: our client and node (`network`), and with `--against URL`
 * any OpenAI-compatible server of the same model (`throughput/against.ts` says how to build one for a fair comparison).
 * It measures answers of one token, from the request to the end of the answer.
 *
 * The systems take turns, so that other load on the machine affects both. Each round gives the median of its requests.
 * The figures are medians over the rounds.
 *
 * On a machine with much load, times say little. With `--pid`, the process of the other server, the benchmark measures
 * the processor time per prompt instead: of that process, and of our engine without node and client. Linux only.
 */
import { copyFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { Engine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { crumbVariant } from './crumb-variant.ts'
import { startBenchEngine } from './engine.ts'
import { endTokens, HALF_BILLION, randomModel } from './model.ts'
import { processorMs } from './process-usage.ts'
import { median, type BenchContext } from './report.ts'
import { cached } from './model-shape.ts'
import { startAgainst } from './throughput/against.ts'
import { startNetwork } from './throughput/network.ts'
import { distinctPrompts, take } from './throughput/prompts.ts'
import type { Prompt, Target } from './throughput/target.ts'

const AT_ONCE = [1, 4] as const

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: '0.5b' },
      against: { type: 'string' },
      tokens: { type: 'string', multiple: true, default: ['128', '512', '2048', '8192'] },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '1' },
      pid: { type: 'string' }
    }
  })
  const lengths = values.tokens.map(Number)
  // Twice what is needed, because the client can estimate too many tokens from the length of a text.
  const contextLength = 2 * Math.max(...lengths)
  const path = await modelFor(values.model, contextLength)
  note(`The model is ${path}. Start the other server with the same file.`)
  const threads = Number(values.threads)
  const slots = Math.max(...AT_ONCE)
  const byProcessor = values.pid !== undefined
  const targets: Target[] = []
  const engine = await startBenchEngine({ modelPath: path, contextLength, slots, threads, remember: 0, signal })
  try {
    if (!byProcessor) {
      const model = { path, slots, contextLength, threads, remember: 0 }
      targets.push(await startNetwork(model, await endTokens(path), signal))
    } else targets.push(engineAlone(engine))
    if (values.against !== undefined) {
      targets.push({
        ...startAgainst(values.against),
        ...(values.pid === undefined ? {} : { pid: Number(values.pid) })
      })
    }
    for (const length of lengths) {
      const prompts = distinctPrompts(engine, length)
      for (const atOnce of AT_ONCE) {
        const times = new Map(targets.map(({ name }) => [name, [] as number[]]))
        const rounds = Number(values.rounds)
        // The first round does not count. In it, the engine finds its slice size.
        for (let round = 0; round <= rounds; round++) {
          note(`${length} tokens, ${atOnce} at once: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}.`)
          for (let turn = 0; turn < targets.length; turn++) {
            signal.throwIfAborted()
            const target = targets[(turn + round) % targets.length]!
            const ms = await measure(target, await take(prompts, atOnce), byProcessor, signal)
            if (round > 0) times.get(target.name)!.push(ms)
          }
        }
        const row = { case: `${length} tokens, ${atOnce} at once`, n: rounds }
        for (const [name, ms] of times) {
          report({
            ...row,
            metric: `${name}_${byProcessor ? 'cpu' : 'ttft'}`,
            value: median(ms),
            unit: 'ms'
          })
        }
        const [[name, ours], other] = [...times] as [[string, number[]], [string, number[]] | undefined]
        if (other === undefined) continue
        const ratios = ours.map((ms, round) => ms / other[1][round]!)
        report({ ...row, metric: `${name} / ${other[0]}`, value: median(ratios), unit: 'ratio' })
      }
    }
  } finally {
    await Promise.all([...targets, engine].map((target) => target.close()))
  }
}

/**
 * Sends all prompts at once. Resolves to the median of the milliseconds until the end of each answer of one token, or
 * to the milliseconds of processor time for each prompt.
 */
async function measure(
  { run, pid = 0 }: Target,
  prompts: readonly Prompt[],
  byProcessor: boolean,
  signal: AbortSignal
): Promise<number> {
  const took = async (): Promise<number> => (await processorMs(pid)) ?? Number.NaN
  const [began, tookBefore] = [performance.now(), byProcessor ? await took() : 0]
  const times = await Promise.all(
    prompts.map(async (prompt) => {
      await run([prompt], 1, signal)
      return performance.now() - began
    })
  )
  return byProcessor ? ((await took()) - tookBefore) / prompts.length : median(times)
}

function engineAlone(engine: Engine): Target {
  const { pid } = engine
  if (pid === undefined) throw new Error('The engine has no process.')
  const run: Target['run'] = async ([prompt], tokens, signal) => {
    const sampling = { ...DEFAULT_SAMPLING, seed: 1n }
    const job = {
      promptTokens: prompt!.tokens,
      answerTokens: [],
      sampling,
      maxTokens: tokens,
      stop: [],
      credit: tokens
    }
    const events = engine.generate(job, signal)[Symbol.asyncIterator]()
    while ((await events.next()).done !== true);
  }
  return { name: 'engine', pid, run, close: () => Promise.resolve() }
}

/**
 * Returns the path of a model file with a context that is long enough. It has the same weights as the model of the
 * other benchmarks.
 */
async function modelFor(name: string, contextLength: number): Promise<string> {
  if (name === '0.5b') return await randomModel({ ...HALF_BILLION, context: contextLength }, crumb.Q8_0.path)
  if (name !== 'crumb') return name
  return await cached(`crumb-${contextLength}-Q8_0.gguf`, async (path) => {
    await using variant = await crumbVariant({ contextLength })
    await copyFile(variant.path, path)
  })
}
