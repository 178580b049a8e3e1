/**
 * One node with three models and memory for one. Callers ask for a random model at random times, and end some requests
 * at a random moment. The benchmark reports the time to the first token after a switch and without one, what failed,
 * and whether a process of an engine crashed. The models are crumb in two quantisations, and a copy of crumb with
 * another name, which is another model for the network.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { createClient } from '@potluck/client'
import { formatDigest, PotluckError } from '@potluck/protocol'
import { pino } from 'pino'

import { startNode, startOnDemandModels, type Engine } from '../../node/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { reportQuantiles, type BenchContext } from './report.ts'

const MINUTES = 10
const CALLERS = 3
const ANSWER_TOKENS = 32
/** More than one of the models takes with its slots, and less than two of them take. */
const BUDGET_BYTES = 400e6
const PROGRESS_MS = 60_000
/** The longest pause of a caller before its next request. */
const LONGEST_PAUSE_MS = 4000
/** This share of the requests ends before its answer does: while the model loads, or in the middle of the answer. */
const ABORTED_SHARE = 0.1
const LATEST_ABORT_MS = 4000

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const minutes = Number(args[0] ?? MINUTES)
  if (!(minutes > 0)) throw new Error('Usage: switching [MINUTES]')
  const directory = await mkdtemp(join(tmpdir(), 'potluck-switching-'))
  const copy = join(directory, 'crumb-copy.gguf')
  await copyRenamed(crumb.Q8_0.path, copy)
  const logger = pino({ level: 'silent' })
  const files = [...Object.values(crumb), { path: copy, name: 'bench/crumb-copy:Q8_0' }]
  const models = files.map(({ path, name }) => ({ modelPath: path, name, slots: 2, gpu: false as const, logger }))
  const set = await startOnDemandModels({ models, budget: { ramBytes: BUDGET_BYTES, vramBytes: 0 } })
  try {
    const listen = ['/ip4/127.0.0.1/tcp/0']
    const node = await startNode({ engine: set.engines, listen, scope: 'local', logger, signal })
    try {
      const [address = ''] = node.addresses()
      const seen: Seen = { loaded: [], switched: [], failed: [], aborted: 0, alone: 0 }
      const end = performance.now() + minutes * 60_000
      const progress = setInterval(() => note(describe(seen)), PROGRESS_MS)
      const callers = Array.from({ length: CALLERS }, async () => await ask(address, set.engines, end, seen, signal))
      await Promise.all(callers).finally(() => clearInterval(progress))
      const restarts = (await node.metrics()).engine?.restarts ?? 0
      const row = { case: `${files.length} models`, unit: '' }
      report({ ...row, metric: 'crashes', value: restarts, n: seen.loaded.length + seen.switched.length })
      report({ ...row, metric: 'failed_answers', value: seen.failed.length, n: seen.failed.length })
      report({ ...row, metric: 'aborted_answers', value: seen.aborted, n: seen.aborted })
      for (const failure of new Set(seen.failed)) note(`failed: ${failure}`)
      const ttft = { unit: 'ms', metric: 'ttft_ms' }
      reportQuantiles(report, { ...ttft, case: 'model loaded' }, seen.loaded, [0.5, 0.95, 1])
      reportQuantiles(report, { ...ttft, case: 'model not loaded' }, seen.switched, [0.5, 0.95, 1])
      report({ ...row, metric: 'most_loaded_at_once', value: seen.alone, n: seen.switched.length })
    } finally {
      await node.stop()
    }
  } finally {
    await set.close()
    await rm(directory, { recursive: true })
  }
}

interface Seen {
  /** Milliseconds to the first token of requests whose model was in memory, and of the others. */
  loaded: number[]
  switched: number[]
  /** Codes of failures. */
  failed: string[]
  aborted: number
  /** The most models in memory at once. */
  alone: number
}

async function ask(
  address: string,
  engines: readonly Engine[],
  end: number,
  seen: Seen,
  signal: AbortSignal
): Promise<void> {
  const client = await createClient({ bootstrap: [address], scope: 'local', mdns: false, signal })
  try {
    while (performance.now() < end) {
      await sleep(Math.random() * LONGEST_PAUSE_MS, undefined, { signal })
      const aborting = new AbortController()
      const abort =
        Math.random() < ABORTED_SHARE ? setTimeout(() => aborting.abort(), Math.random() * LATEST_ABORT_MS) : 0
      const { model, residence } = engines[Math.floor(Math.random() * engines.length)]!
      const wasLoaded = residence?.isLoaded() === true
      const began = performance.now()
      let ttftMs: number | undefined
      try {
        const messages = [{ role: 'user' as const, content: 'Tell me a story about a fox.' }]
        const ended = AbortSignal.any([signal, aborting.signal])
        const options = { model: formatDigest(model.digest), messages, maxTokens: ANSWER_TOKENS }
        for await (const part of client.chat({ ...options, signal: ended })) {
          if (part.type !== 'delta' || ttftMs !== undefined) continue
          ttftMs = performance.now() - began
          seen.alone = Math.max(seen.alone, engines.filter((each) => each.residence?.isLoaded()).length)
        }
        if (ttftMs !== undefined) (wasLoaded ? seen.loaded : seen.switched).push(ttftMs)
      } catch (error) {
        signal.throwIfAborted()
        if (aborting.signal.aborted) seen.aborted++
        else seen.failed.push(error instanceof PotluckError ? `${error.code}: ${error.message}` : String(error))
      } finally {
        clearTimeout(abort)
      }
    }
  } finally {
    await client.stop()
  }
}

function describe({ loaded, switched, failed }: Seen): string {
  return `${loaded.length + switched.length} answers, ${switched.length} of them after a switch, ${failed.length} failed`
}

/** Copies a model file with another `general.name` of the same length. */
async function copyRenamed(path: string, copy: string): Promise<void> {
  const bytes = await readFile(path)
  const key = Buffer.from('general.name')
  // After the key come the type of the value (4 bytes) and its length (8 bytes).
  bytes.write('C', bytes.indexOf(key) + key.length + 12, 'latin1')
  await writeFile(copy, bytes)
}
