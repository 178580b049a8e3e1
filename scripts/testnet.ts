/**
 * `npm run testnet`: a Potluck network on this machine. A relay and nodes, each a process of its own; a client
 * that knows only the relay's address finds them. What then happens is one of three scenarios.
 */
import { parseArgs } from 'node:util'
import { HumanKillView, JsonKillView } from './testnet/kill/view.ts'
import { runKill } from './testnet/kill/run.ts'
import { HumanPromptView, JsonPromptView } from './testnet/prompt/view.ts'
import { runPrompt } from './testnet/prompt/run.ts'
import type { Screen } from './testnet/screen.ts'
import { runMany } from './testnet/villains/many.ts'
import { runVillains } from './testnet/villains/run.ts'
import { BriefVillainsView, HumanVillainsView, JsonVillainsView } from './testnet/villains/view.ts'

/** A walk of the DHT names no more providers than this, Kademlia's k; and each node with its engine takes 300 MB. */
const MAX_NODES = 20
const MAX_REQUESTS = 10_000
const MAX_RUNS = 1000
const PROMPT = 'Tell me a story about a fox.'

const HELP = `Usage: npm run testnet -- [options]

Starts a relay and nodes as processes of this machine, finds the nodes through the
DHT from the relay's address alone, asks one of them, and takes everything down again.

  --nodes N       how many nodes (default 3, at most ${MAX_NODES})
  --prompt TEXT   what to ask (default "${PROMPT}")
  --json          one JSON object a line
  --help          this text

  --kill          kills the node that answers, in mid-answer, and shows how another goes on

  --villains      three honest nodes, and one each that serves a smaller model than it says,
                  answers noise, is slow, and cuts its answers: how the client sorts them out.
                  The exit code is 1 where an honest node was quarantined, or where after 80
                  requests too many go to villains or the impostor is not banned
  --requests N    how many (default 80)
  --runs N        as often, each with a new network and a new client (default 1)
`

interface Options {
  scenario: 'prompt' | 'kill' | 'villains'
  nodes: number
  prompt: string
  requests: number
  runs: number
  json: boolean
}

function options(): Options | undefined {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      prompt: { type: 'string', default: PROMPT },
      kill: { type: 'boolean', default: false },
      villains: { type: 'boolean', default: false },
      requests: { type: 'string', default: '80' },
      runs: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  if (values.kill && values.villains) throw new Error('Give either --kill or --villains.')
  return {
    scenario: values.kill ? 'kill' : values.villains ? 'villains' : 'prompt',
    // Somebody has to go on.
    nodes: number('--nodes', values.nodes, values.kill ? 2 : 1, MAX_NODES),
    prompt: values.prompt,
    requests: number('--requests', values.requests, 1, MAX_REQUESTS),
    runs: number('--runs', values.runs, 1, MAX_RUNS),
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

function toScenario({ scenario, json, runs, requests, ...rest }: Options): Scenario {
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
    case 'villains': {
      const human = runs > 1 ? new BriefVillainsView(out) : new HumanVillainsView(out)
      const screen = json ? new JsonVillainsView() : human
      const one = async (signal: AbortSignal): Promise<boolean | undefined> =>
        (await runVillains({ requests }, screen, signal)).kept
      return { screen, run: async (signal) => ((await runMany(runs, one, { json, signal })) ? 0 : 1) }
    }
  }
}

/** Signals this close together are one. */
const ECHO_MS = 500

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
        // npm passes on what the terminal has sent already. A second one of the user's does not wait for anything:
        // the fleet's exit handler kills what is left.
        if (performance.now() - interruptedAt > ECHO_MS) process.exit(exitCode)
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
