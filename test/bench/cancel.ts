/**
 * How long a node keeps working after an abort. The time is from the client's abort until the node's metrics show no
 * running request and no busy engine slot. The benchmark aborts at random moments: first in the middle of answers, then
 * in the middle of long prompts.
 */
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClient, type Client } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'
import { pino } from 'pino'
import { startNode, startRelay, type PotluckNode } from '../../node/index.ts'
import type { Engine } from '../../node/engine/index.ts'
import { advertised } from '../../scripts/testnet/advertised.ts'
import { startBenchEngine } from './engine.ts'
import { endTokens, resolveModel } from './model.ts'
import { reportQuantiles, type BenchContext } from './report.ts'
import { WORDS } from './throughput/prompts.ts'
import { until } from './until.ts'

/** The prompt's share of the context. Its prefill takes seconds on a CPU, and the context has room for an answer. */
const LONG_PROMPT = 0.8
const CONTEXT_LENGTH = 2048
/** Longest random delay between the start of the phase and the abort. One evaluation takes at most this long. */
const SPREAD_MS = 200
/** The first requests do not count: the engine learns in them how many tokens it may evaluate at once. */
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
  const common = { listen: ['/ip4/127.0.0.1/tcp/0'], scope: 'local', logger: pino({ level: 'silent' }) } as const
  const threads = Number(values.threads)
  const engine = await startBenchEngine({ modelPath, contextLength: CONTEXT_LENGTH, slots: 2, threads, signal })
  const relay = await startRelay(common)
  const node = await startNode({ ...common, engine, bootstrap: relay.addresses() })
  await advertised(node)
  const client = await createClient({ bootstrap: relay.addresses(), scope: 'local', mdns: false, signal })
  try {
    const prompts = longPrompts(engine)
    for (const kind of ['decode', 'prefill'] as const) {
      note(`${aborts} aborts in the middle of ${kind === 'decode' ? 'an answer' : 'a prompt'}.`)
      const samples: number[] = []
      for (let index = 0; index < WARM_UP + aborts; index++) {
        const prompt = kind === 'decode' ? `${index} tales` : (await prompts.next()).value
        const elapsed = await abortDuring(kind, prompt, { client, node, logitBias, signal })
        if (index >= WARM_UP) samples.push(elapsed)
      }
      reportQuantiles(report, { case: kind, metric: 'abort_ms', unit: 'ms' }, samples, [0.5, 0.95])
    }
  } finally {
    await client.stop()
    await node.stop()
    await relay.stop()
    await engine.close()
  }
}

/** Aborts a request during the given phase. Resolves to the milliseconds until the node is idle. */
async function abortDuring(
  kind: 'decode' | 'prefill',
  prompt: string,
  { client, node, logitBias, signal }: Parts
): Promise<number> {
  const before = (await node.metrics()).engine?.prefillTokens ?? 0
  const controller = new AbortController()
  // Without a token limit and an end-of-turn token, only the abort ends the answer.
  const answer = client.complete({
    prompt,
    logitBias,
    temperature: 1,
    signal: AbortSignal.any([signal, controller.signal])
  })
  const first = Promise.withResolvers<void>()
  const outcome = (async () => {
    for await (const part of answer) if (part.type === 'delta') first.resolve()
    return 'a complete answer'
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
  if (ended !== 'aborted') throw new Error(`The aborted request ended with ${ended}.`)
  return elapsed
}

/** Prompts without a common beginning, so that no cached prefix shortens them. */
async function* longPrompts(engine: Engine): AsyncGenerator<string, never, undefined> {
  const words = (index: number, count: number): string =>
    `${index} ${Array.from({ length: count }, (_, word) => WORDS[(word * (index + 1)) % WORDS.length]).join(' ')}`
  const sample = 200
  const perWord = (await engine.tokenize({ prompt: words(1, sample) })).length / sample
  for (let index = 1; ; index++) yield words(index, Math.floor((LONG_PROMPT * engine.model.contextLength) / perWord))
}
