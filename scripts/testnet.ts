/**
 * `npm run testnet [-- --nodes N --prompt "…" --json]`: a Potluck network on this machine. A relay and N nodes, each
 * a process of its own; a client that knows only the relay's address finds them and asks one.
 */
import { createClient, type Client, type NodeView } from '@potluck/client'
import { parseArgs } from 'node:util'
import { crumb } from '../node/models/crumb.ts'
import { startFleet } from './testnet/fleet.ts'
import type { MemberSpec } from './testnet/messages.ts'
import { HumanView, JsonView, type View } from './testnet/view.ts'

/** A walk of the DHT names no more providers than this, Kademlia's k; and each node with its engine takes 300 MB. */
const MAX_NODES = 20
const PROMPT = 'Tell me a story about a fox.'

const HELP = `Usage: npm run testnet -- [options]

Starts a relay and nodes as processes of this machine, finds the nodes through the
DHT from the relay's address alone, asks one of them, and takes everything down again.

  --nodes N       how many nodes (default 3, at most ${MAX_NODES})
  --prompt TEXT   what to ask (default "${PROMPT}")
  --json          one JSON object a line
  --help          this text
`

function options(): { nodes: number; prompt: string; json: boolean } | undefined {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      prompt: { type: 'string', default: PROMPT },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  const nodes = Number(values.nodes)
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES) {
    throw new Error(`--nodes takes a number from 1 to ${MAX_NODES}, not "${values.nodes}".`)
  }
  return { nodes, prompt: values.prompt, json: values.json }
}

/** The third serves the coarser file, so that the table shows two digests. */
function specs(count: number): Array<MemberSpec & { role: 'node' }> {
  return Array.from({ length: count }, (_, index) => ({
    name: `node-${index + 1}`,
    role: 'node',
    crumb: index === 2 ? 'Q4_0' : 'Q8_0',
    slots: 2
  }))
}

/** Every node has advertised itself by now: one that the DHT does not name is a fault, not a delay. */
async function findNodes(client: Client, count: number, signal: AbortSignal): Promise<NodeView[]> {
  const found: NodeView[] = []
  for await (const node of client.nodes({ signal })) found.push(node)
  if (found.length < count) throw new Error(`The DHT led to ${found.length} of ${count} nodes.`)
  return found
}

async function run(view: View, count: number, prompt: string, signal: AbortSignal): Promise<void> {
  const begin = performance.now()
  const fleet = await startFleet({
    nodes: specs(count),
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  try {
    const client = await createClient({ bootstrap: [...fleet.relay.addresses], scope: 'local', mdns: false, signal })
    try {
      const findBegin = performance.now()
      view.nodes(await findNodes(client, count, signal), performance.now() - findBegin)
      view.prompt(prompt)
      const answer = client.chat({
        model: crumb.Q8_0.name,
        messages: [{ role: 'user', content: prompt }],
        signal
      })
      let firstToken = 0
      for await (const part of answer) {
        if (part.type !== 'delta') continue
        firstToken ||= performance.now() - begin
        view.text(part.text)
      }
      view.summary(await answer.result(), firstToken)
    } finally {
      await client.stop()
    }
  } finally {
    await fleet.stop()
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
  const view = chosen.json ? new JsonView() : new HumanView(process.stdout)
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
      view.failed(`Interrupted by ${signal}.`)
      interrupted.abort()
    })
  }
  try {
    await run(view, chosen.nodes, chosen.prompt, interrupted.signal)
  } catch (error) {
    if (interrupted.signal.aborted) return code
    view.failed(error instanceof Error ? error.message : String(error))
    return 1
  }
  return code
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 2
})
