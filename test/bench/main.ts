/** `npm run bench -- NAME [args] [--json]`. */
import { createReporter, type BenchContext } from './report.ts'

interface BenchModule {
  run: (context: BenchContext) => Promise<void>
}

const BENCHES: Record<string, { args: string; help: string; load: () => Promise<BenchModule> }> = {
  throughput: {
    args: '[--model crumb|0.5b|152k|PATH] [--against URL] [--rounds N] [--threads N] [--streams N]... [--engine] [--inexact]',
    help: 'tokens per second of the engine library alone, with the sampling contract, and over the network',
    load: () => import('./throughput.ts')
  },
  overhead: {
    args: '',
    help: 'what the network adds to a request: time to first token, CPU time and bytes per token',
    load: () => import('./overhead.ts')
  },
  gateway: {
    args: '',
    help: 'what HTTP adds to the SDK: time to first token, and CPU time per token',
    load: () => import('./gateway.ts')
  },
  'gateway-load': {
    args: '[MINUTES] [STREAMS]',
    help: 'many streams at once through the SDK and the gateway: lost tokens, latency of a token, memory',
    load: () => import('./gateway-load.ts')
  },
  cancel: {
    args: '[--model crumb|0.5b|PATH] [--threads N] [--aborts N]',
    help: 'time from an abort to an idle node, in the middle of an answer and of a long prompt',
    load: () => import('./cancel.ts')
  },
  speculate: {
    args: '[--model wide-crumb|crumb|0.5b|PATH] [--threads N] [--rounds N]',
    help: 'tokens per second with and without drafts: a story, a repetition and a table; fails if an answer differs',
    load: () => import('./speculate.ts')
  },
  turns: {
    args: '[--model wide-crumb|PATH] [--against URL [--against-pid PID]] [--conversations N] [--slots N] [--at-once N] [--threads N]',
    help: 'time to the first token of the turns 1 to 10 of 20 interleaved conversations, and the memory for them',
    load: () => import('./turns.ts')
  },
  'long-prompt': {
    args: '[--tokens N] [--rate N] [--crumb]',
    help: 'time to the first token of a prompt of 12,000 tokens, at 100 tokens/s, or with crumb at a longer context',
    load: () => import('./long-prompt.ts')
  },
  prompts: {
    args: '[--model 0.5b|crumb|PATH] [--against URL [--pid PID]] [--tokens N]... [--rounds N] [--threads N]',
    help: 'time to the first token of prompts of 128 to 8,192 tokens, one and four at once, also of another server',
    load: () => import('./prompts.ts')
  },
  discovery: {
    args: '[--nodes N] [--dead N] [--kind refusing|swallowing|expired] [--storers N] | --records N',
    help: 'time from one relay address to a card, a first token and all of 20 nodes, beside dead records; cost of a lookup',
    load: () => import('./discovery.ts')
  },
  audit: {
    args: '[SCALE] [MODEL.gguf] [honest] [cheats] [cost] [--write-distribution]',
    help: 'tokens until a cheating node is quarantined and banned, false bans, and the cost of an audit',
    load: () => import('./audit.ts')
  },
  influence: {
    args: '[SCALE] [MODEL.gguf]',
    help: 'how far a node can steer its answers without being quarantined, in bits per token',
    load: () => import('./influence.ts')
  },
  connection: {
    args: '',
    help: 'bytes of a new and of an idle connection between two DHT servers, and the time of the first request on it',
    load: () => import('./connection.ts')
  },
  churn: {
    args: '[MINUTES] [SECONDS]',
    help: 'kills one of 12 nodes every 3 s and starts another: failed requests, and the time to the first token',
    load: () => import('./churn.ts')
  },
  spread: {
    args: '[--nodes N] [--clients N]',
    help: 'which of 120 nodes 50 new clients know: all of them, and none more than twice its share',
    load: () => import('./spread.ts')
  },
  switching: {
    args: '[MINUTES]',
    help: 'one node with three models and memory for one: time to the first token after a switch, failures, crashes',
    load: () => import('./switching.ts')
  },
  idle: {
    args: '[MINUTES] [PEERS]',
    help: 'memory, connections, bytes and processor time of a node that nobody asks, with 50 other nodes; Linux only',
    load: () => import('./idle.ts')
  },
  failover: {
    args: '[ANSWERS] [kill|stall]',
    help: 'kills or stops the answering node at a random token: changed answers, and the time until the next token',
    load: () => import('./failover.ts')
  }
}

function help(): string {
  const names = Object.entries(BENCHES).map(
    ([name, { args, help: text }]) => `  ${`${name} ${args}`.trimEnd()}\n      ${text}`
  )
  return `Usage: npm run bench -- NAME [options] [--json]\n\n${names.join('\n')}\n\n--json prints one JSON object per line.`
}

async function main(): Promise<number> {
  const [name, ...rest] = process.argv.slice(2)
  const bench = name === undefined ? undefined : BENCHES[name]
  if (name === undefined || bench === undefined) {
    if (name === undefined || name === '--help') console.log(help())
    else console.error(`There is no benchmark "${name}".\n\n${help()}`)
    return name === undefined || name === '--help' ? 0 : 2
  }
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))
  process.once('SIGTERM', () => interrupted.abort(new Error('Interrupted.')))
  const args = rest.filter((argument) => argument !== '--json')
  const reporter = createReporter(name, args, rest.includes('--json'), interrupted.signal)
  const { run } = await bench.load()
  await run(reporter.context)
  reporter.finish()
  return 0
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 1
})
