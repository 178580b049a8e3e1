/**
 * The time to the first token of a prompt of 12,000 tokens, through a gateway and real libp2p:
 *
 * - at 100 tokens per second, by an engine that takes this time and computes nothing
 * - with `--crumb`: by crumb's weights at a longer context, on one thread
 *
 * The time that the node measured for the prompt shows what the rest of the way costs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClient } from '@potluck/client'
import { PROGRESS_INTERVAL_MS } from '@potluck/protocol'
import { pino } from 'pino'
import type { Engine } from '../../node/engine/index.ts'
import { startNode } from '../../node/index.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { crumbVariant } from './crumb-variant.ts'
import { startBenchEngine } from './engine.ts'
import type { BenchContext } from './report.ts'

const CONTEXT_LENGTH = 16_384
const WORDS = 'The quick brown fox jumps over the lazy dog. '

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tokens: { type: 'string', default: '12000' },
      rate: { type: 'string', default: '100' },
      crumb: { type: 'boolean', default: false }
    }
  })
  const [tokens, rate] = [Number(values.tokens), Number(values.rate)]
  await using crumb = await crumbVariant({ contextLength: CONTEXT_LENGTH })
  const real = async (): Promise<Engine> =>
    await startBenchEngine({ modelPath: crumb.path, contextLength: CONTEXT_LENGTH, signal })
  const engines: Record<string, () => Promise<Engine>> = values.crumb
    ? { 'crumb, one thread': real }
    : { [`${rate} tokens/s`]: async () => atRate(rate) }
  for (const [name, start] of Object.entries(engines)) {
    note(`A prompt of ${tokens} tokens: ${name}.`)
    const engine = await start()
    const node = await startNode({
      engine,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      scope: 'local',
      logger: pino({ level: 'silent' })
    })
    const client = await createClient({ bootstrap: node.addresses(), scope: 'local', mdns: false, signal })
    try {
      const prompt = await promptOf(tokens, engine)
      const answer = client.complete({ prompt, maxTokens: 1, temperature: 0, signal })
      const { metadata, usage } = await answer.result()
      const row = { case: name, n: 1 }
      report({ ...row, metric: 'prompt_tokens', value: usage.promptTokens, unit: '' })
      report({ ...row, metric: 'ttft_ms', value: metadata.ttftMs, unit: 'ms' })
      report({ ...row, metric: 'prefill_ms', value: metadata.timings.prefillMs, unit: 'ms' })
      report({ ...row, metric: 'failed_attempts', value: metadata.failures.length, unit: '' })
    } finally {
      await client.stop()
      await node.stop()
      await engine.close()
    }
  }
}

/** An engine that evaluates prompts at this rate. */
function atRate(tokensPerSecond: number): Engine {
  const sliceTokens = Math.ceil((tokensPerSecond * PROGRESS_INTERVAL_MS) / 1000)
  return new ScriptedEngine({
    contextLength: CONTEXT_LENGTH,
    reply: () => 'Read.',
    sliceTokens,
    before: async ({ kind, job }) => {
      const slice = Math.min(sliceTokens, job.promptTokens.length)
      if (kind === 'prefill') await sleep((1000 * slice) / tokensPerSecond)
    },
    now: () => performance.now()
  })
}

/** Returns a prompt of about so many tokens. */
async function promptOf(tokens: number, engine: Engine): Promise<string> {
  const perWords = (await engine.tokenize({ prompt: WORDS.repeat(11) })).length
  const once = (await engine.tokenize({ prompt: WORDS })).length
  const repeated = (perWords - once) / 10
  return WORDS.repeat(Math.ceil((tokens - once) / repeated))
}
