/**
 * `npm run testnet`: a Potluck network on this machine. A relay and several nodes run, each in its own process. A
 * client that knows only the relay's address finds the nodes. Then one of three scenarios runs: a prompt (the default),
 * `--kill` or `--malicious`.
 */
import { parseArgs } from 'node:util'
import { HumanKillView, JsonKillView } from './testnet/kill/view.ts'
import { runKill } from './testnet/kill/run.ts'
import { runMany } from './testnet/malicious/many.ts'
import { runMalicious } from './testnet/malicious/run.ts'
import { BriefMaliciousView, HumanMaliciousView, JsonMaliciousView } from './testnet/malicious/view.ts'
import { HumanPromptView, JsonPromptView } from './testnet/prompt/view.ts'
import { runPrompt } from './testnet/prompt/run.ts'
import type { Screen } from './testnet/screen.ts'

/** Each node and its engine take 300 MB. */
const MAX_NODES = 20
const MAX_REQUESTS = 10_000
const MAX_RUNS = 1000
const PROMPT = 'Tell me a story about a fox.'

const HELP = `Usage: npm run testnet -- [options]

Starts a relay and nodes as processes on this machine. A client that knows only the relay's
address finds the nodes through the DHT and sends a prompt to one of them. Then all processes stop.

  --nodes N       number of nodes (default 3, at most ${MAX_NODES})
  --prompt TEXT   the prompt (default "${PROMPT}")
  --json          print one JSON object per line. npm prints a banner before it, so a program should
                  run: npm run --silent testnet -- --json
  --help          print this text

  --kill          kill the answering node in mid-answer, and show how another node continues

  --malicious     start three honest nodes and four malicious ones: one serves a smaller model
                  than it claims, one answers noise, one is slow, one cuts its answers.
                  Show how the client's view of each node changes. The exit code is 1 if the
                  client quarantines an honest node. With 80 or more requests it is also 1 if
                  honest nodes alone answered fewer than 38 of the last 40, or if the client
                  did not ban the node with the smaller model. It is 1 too if the client audited
                  more than 3 answers of that node before it quarantined or banned it
  --gpu           with --malicious: one of the honest nodes computes on the GPU
  --requests N    number of requests (default 80)
  --runs N        number of runs, each with a new network and a new client (default 1)
`

interface Options {
  scenario: 'prompt' | 'kill' | 'malicious'
  nodes: number
  prompt: string
  requests: number
  runs: number
  gpu: boolean
  json: boolean
}

function options(): Options | undefined {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      prompt: { type: 'string', default: PROMPT },
      kill: { type: 'boolean', default: false },
      malicious: { type: 'boolean', default: false },
      requests: { type: 'string', default: '80' },
      runs: { type: 'string', default: '1' },
      gpu: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  if (values.kill && values.malicious) throw new Error('Give either --kill or --malicious.')
  return {
    scenario: values.kill ? 'kill' : values.malicious ? 'malicious' : 'prompt',
    // --kill needs a second node that continues the answer.
    nodes: number('--nodes', values.nodes, values.kill ? 2 : 1, MAX_NODES),
    prompt: values.prompt,
    requests: number('--requests', values.requests, 1, MAX_REQUESTS),
    runs: number('--runs', values.runs, 1, MAX_RUNS),
    gpu: values.gpu,
    json: values.json
  }
}

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new Error(`${name} takes a number from ${least} to ${most}, not "${text}".`)
}

interface Scenario {
  screen: Screen
  /** Resolves to the exit code. */
  run: (signal: AbortSignal) => Promise<number>
}

function toScenario({ scenario, json, runs, requests, gpu, ...rest }: Options): Scenario {
  const out = process.stdout
  switch (scenario) {
    case 'prompt': {
      const screen = json ? new JsonPromptView() : new HumanPromptView(out)
      return { screen, run: async (signal) => await runPrompt(rest, screen, signal).then(() => 0) }
    }
    case 'kill': {
      const screen = json ? new JsonKillView() : new HumanKillView(out)
      return { screen, run: async (signal) => ((await runKill(rest, screen, signal)) ? 0 : 1) }
    }
    case 'malicious': {
      const human = runs > 1 ? new BriefMaliciousView(out) : new HumanMaliciousView(out)
      const screen = json ? new JsonMaliciousView() : human
      const one = async (signal: AbortSignal): Promise<boolean | undefined> =>
        (await runMalicious({ requests, gpu }, screen, signal)).passed
      return { screen, run: async (signal) => ((await runMany(runs, one, { json, signal })) ? 0 : 1) }
    }
  }
}

/** Two signals within this time count as one: npm repeats the signal that the terminal has already sent. */
const REPEAT_MS = 500

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

async function main(): Promise<number> {
  const chosen = options()
  if (chosen === undefined) {
    console.log(HELP)
    return 0
  }
  const { screen, run } = toScenario(chosen)
  const interrupted = new AbortController()
  let code = 0
  let interruptedAt = 0
  for (const [signal, exitCode] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) {
        // The user's second signal exits at once. The fleet's exit handler kills the remaining processes.
        if (performance.now() - interruptedAt > REPEAT_MS) process.exit(exitCode)
        return
      }
      interruptedAt = performance.now()
      code = exitCode
      screen.failed(`Interrupted by ${signal}.`)
      interrupted.abort()
    })
  }
  try {
    const outcome = await run(interrupted.signal)
    return interrupted.signal.aborted ? code : outcome
  } catch (error) {
    if (interrupted.signal.aborted) return code
    screen.failed(error instanceof Error ? error.message : String(error))
    return 1
  }
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 2
})
