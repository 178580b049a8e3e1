/**
 * Runs many streams at once, first through the SDK and then through the gateway. It checks that no token is lost. It
 * measures the size of the heap, and the time of a token from the engine to its reader. Everything runs in one process,
 * because both times must be from the same clock.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { deadline } from '@potluck/protocol'

import { runLoad } from './gateway/load.ts'
import { quantile, type BenchContext } from './report.ts'

const STREAMS = 200
/** Ten tokens per second for each stream: 2,000 tokens per second together, as many as busy nodes generate. */
const PACE_MS = 100
const TOKENS = 200
/** Interval between two measurements of the heap, each after a garbage collection. */
const LOOK_MS = 10_000
/** Heap sizes before this time do not count: code is still being compiled, and buffers still grow. */
const WARM_UP_MS = 20_000

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const minutes = Number(args[0] ?? 1)
  const streams = Number(args[1] ?? STREAMS)
  if (!(minutes > 0) || !Number.isInteger(streams)) throw new Error('Usage: gateway-load [MINUTES] [STREAMS]')
  const collect = collector()
  let sdkMedian = 0
  for (const through of ['sdk', 'gateway'] as const) {
    note(`${streams} streams through the ${through}, for ${through === 'sdk' ? 'a fifth of ' : ''}${minutes} minutes.`)
    const lasting = minutes * 60_000 * (through === 'sdk' ? 0.2 : 1)
    const heap: number[] = []
    const startedAt = performance.now()
    const look = setInterval(
      () => {
        collect()
        if (performance.now() - startedAt > Math.min(WARM_UP_MS, lasting / 3)) heap.push(process.memoryUsage().heapUsed)
      },
      Math.min(LOOK_MS, lasting / 6)
    )
    const until = deadline(lasting, signal)
    const options = { streams, answers: Infinity, tokens: TOKENS, paceMs: PACE_MS, through, until }
    const { answers, tokens, latenciesMs } = await runLoad(options).finally(() => clearInterval(look))
    const n = tokens
    report({ case: through, metric: 'answers', value: answers, unit: '', n: answers })
    const [p50, p99] = [quantile([...latenciesMs], 0.5), quantile([...latenciesMs], 0.99)]
    report({ case: through, metric: 'token_ms_p50', value: p50, unit: 'ms', n })
    report({ case: through, metric: 'token_ms_p99', value: p99, unit: 'ms', n })
    if (through === 'sdk') sdkMedian = p50
    // Subtracts the SDK's median. The difference of two p99 is not the p99 of the difference.
    else report({ case: through, metric: 'added_token_ms_p99', value: p99 - sdkMedian, unit: 'ms', n })
    const [first = 0] = heap
    const megabytes = { case: through, unit: 'MB', n: heap.length }
    report({ ...megabytes, metric: 'heap_mb_first', value: first / 1e6 })
    report({ ...megabytes, metric: 'heap_mb_last', value: (heap.at(-1) ?? 0) / 1e6 })
    report({ ...megabytes, metric: 'heap_mb_most', value: Math.max(0, ...heap) / 1e6 })
  }
}

/** Makes the garbage collector callable without a flag on the command line. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
