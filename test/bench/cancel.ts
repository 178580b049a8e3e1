/**
 * How long a node goes on after its caller gave up: from the client's abort until the node's own metrics say that
 * nothing runs and the engine's slot is free. In the middle of an answer, and in the middle of a long prompt, at a
 * random moment of whatever is evaluated then.
 */
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClient, type Client } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'
import { pino } from 'pino'
import { startLlamaEngine, startNode, startRelay, type PotluckNode } from '../../node/index.ts'
import type { Engine } from '../../node/engine/index.ts'
import { endTokens, resolveModel } from './model.ts'
import { quantile, type BenchContext } from './report.ts'
import { until } from './until.ts'

/** Share of the context that a long prompt takes: seconds on a processor, and room for the answer. */
const LONG_PROMPT = 0.8
const CONTEXT_LENGTH = 2048
/** An abort falls anywhere within the evaluation that runs, which is not longer than this. */
const SPREAD_MS = 200
/** The first ones teach the engine how much it may evaluate at once. */
const WARM_UP = 2

interface Parts {
  client: Client
  node: PotluckNode
  logitBias: ReadonlyMap<number, number>
  signal: AbortSignal
}

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: '0.5b' },
      threads: { type: 'string', default: '1' },
      aborts: { type: 'string', default: '20' }
    }
  })
  const aborts = Number(values.aborts)
  const modelPath = await resolveModel(values.model)
  const logitBias = new Map((await endTokens(modelPath)).map((token) => [token, -100]))
  const logger = pino({ level: 'silent' })
  const common = { listen: ['/ip4/127.0.0.1/tcp/0'], scope: 'local', logger } as const
  const engine = await startLlamaEngine({
    modelPath,
    contextLength: CONTEXT_LENGTH,
    slots: 2,
    threads: Number(values.threads),
    gpu: false,
    logger,
    signal
  })
  const relay = await startRelay(common)
  const node = await startNode({ ...common, engine, bootstrap: relay.addresses() })
  await new Promise<void>((resolve) => {
    node.onEvent(({ type }) => {
      if (type === 'advertised') resolve()
    })
  })
  const client = await createClient({ bootstrap: relay.addresses(), scope: 'local', mdns: false, signal })
  try {
    const prompts = longPrompts(engine)
    for (const kind of ['decode', 'prefill'] as const) {
      note(`${aborts} aborts in the middle of ${kind === 'decode' ? 'an answer' : 'a prompt'}.`)
      const samples: number[] = []
      for (let index = 0; index < WARM_UP + aborts; index++) {
        const prompt = kind === 'decode' ? `${index} tales` : (await prompts.next()).value
        const elapsed = await abortIn(kind, prompt, { client, node, logitBias, signal })
        if (index >= WARM_UP) samples.push(elapsed)
      }
      for (const [name, share] of [
        ['p50', 0.5],
        ['p95', 0.95]
      ] as const) {
        const value = quantile(samples, share)
        report({ case: kind, metric: `abort_ms_${name}`, value, unit: 'ms', n: samples.length })
      }
    }
  } finally {
    await client.stop()
    await node.stop()
    await relay.stop()
    await engine.close()
  }
}

/** Aborts a request in the middle of the kind of evaluation, and gives the milliseconds until the node rests. */
async function abortIn(
  kind: 'decode' | 'prefill',
  prompt: string,
  { client, node, logitBias, signal }: Parts
): Promise<number> {
  const before = (await node.metrics()).engine?.prefillTokens ?? 0
  const controller = new AbortController()
  // Without a limit and an end: nothing is over by itself.
  const answer = client.complete({
    prompt,
    logitBias,
    temperature: 1,
    signal: AbortSignal.any([signal, controller.signal])
  })
  const first = Promise.withResolvers<void>()
  const outcome = (async () => {
    for await (const part of answer) if (part.type === 'delta') first.resolve()
    return 'an end'
  })().catch((error: unknown) => (error instanceof PotluckError ? error.code : String(error)))
  if (kind === 'decode') await Promise.race([first.promise, outcome])
  else await until(async () => ((await node.metrics()).engine?.prefillTokens ?? 0) > before, signal)
  await setTimeout(Math.random() * SPREAD_MS, undefined, { signal })
  const began = performance.now()
  controller.abort()
  await until(async () => {
    const { requestsRunning, engine } = await node.metrics()
    return requestsRunning === 0 && engine?.activeSlots === 0
  }, signal)
  const elapsed = performance.now() - began
  const ended = await outcome
  if (ended !== 'aborted') throw new Error(`an answer that was aborted came to ${ended}`)
  return elapsed
}

/** Prompts that share no beginning, so that no cache shortens them. */
async function* longPrompts(engine: Engine): AsyncGenerator<string, never, undefined> {
  const words = (index: number, count: number): string =>
    `${index} ${Array.from({ length: count }, (_, word) => WORDS[(word * (index + 1)) % WORDS.length]).join(' ')}`
  const sample = 200
  const perWord = (await engine.tokenize({ prompt: words(1, sample) })).length / sample
  for (let index = 1; ; index++) yield words(index, Math.floor((LONG_PROMPT * engine.model.contextLength) / perWord))
}

const WORDS = ['once', 'there', 'was', 'a', 'fox', 'who', 'lived', 'near', 'the', 'river', 'and', 'told', 'stories']
