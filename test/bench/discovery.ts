/**
 * Measures how long a client needs until its first token, if it knows only the address of one relay. The network has 20
 * nodes. Each node is a process with its own engine. A cold client is a new libp2p node, and its time includes its creation. A warm client
 * has already received an answer.
 */
import { parseArgs } from 'node:util'
import { createClient, type Client } from '@potluck/client'
import { anyNodeCid, type ChatMessage } from '@potluck/protocol'
import { createNetwork } from '../../client/network/create.ts'
import type { Network } from '../../client/network/network.ts'
import { nodePlatform } from '../../client/platform/node.ts'
import { crumb } from '../../node/models/crumb.ts'
import { startFleet } from '../../scripts/testnet/fleet.ts'
import type { NodeSpec } from '../../scripts/testnet/messages.ts'
import { startBenchEngine } from './engine.ts'
import { throughEngine, throughNetwork } from './first-token.ts'
import { median, type BenchContext } from './report.ts'

/** Default of `--nodes N`. The published figures are for this number. */
const NODES = '20'
const CLIENTS = 10
/** Requests of each client after its first answer. */
const WARM_REQUESTS = 5

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { nodes: { type: 'string', default: NODES } } })
  const count = Number(values.nodes)
  note(`Starting a relay and ${count} nodes.`)
  const nodes: NodeSpec[] = Array.from({ length: count }, (_, index) => ({
    name: `node-${index + 1}`,
    role: 'node',
    crumb: 'Q8_0',
    slots: 1
  }))
  const fleet = await startFleet({ nodes, signal })
  try {
    const options = { bootstrap: [...fleet.relay.addresses], scope: 'local', mdns: false } as const
    const samples = new Samples()
    for (let index = 0; index < CLIENTS; index++) {
      note(`Client ${index + 1} of ${CLIENTS}.`)
      signal.throwIfAborted()
      await findProviders(() => createNetwork(options, nodePlatform), count, { samples, signal })
      await findCards(() => createClient(options), { samples, signal })
      await firstTokens(() => createClient(options), { samples, signal })
    }
    await engineAlone({ samples, signal })
    samples.report(report)
  } finally {
    await fleet.stop()
  }
}

type Case = 'cold' | 'warm' | 'engine'

class Samples {
  readonly #values = new Map<string, number[]>()

  add(kind: Case, metric: string, value: number): void {
    const key = `${kind} ${metric}`
    this.#values.set(key, [...(this.#values.get(key) ?? []), value])
  }

  report(report: BenchContext['report']): void {
    for (const [key, values] of this.#values) {
      const [kind = '', metric = ''] = key.split(' ')
      const unit = metric.endsWith('_ms') ? 'ms' : 'nodes'
      report({ case: kind, metric, value: median(values), unit, n: values.length })
    }
    const own = median(this.#values.get('engine first_token_ms') ?? [])
    for (const kind of ['cold', 'warm'] satisfies Case[]) {
      const values = this.#values.get(`${kind} first_token_ms`) ?? []
      report({ case: kind, metric: 'added_first_token_ms', value: median(values) - own, unit: 'ms', n: values.length })
    }
  }
}

interface Measurement {
  samples: Samples
  signal: AbortSignal
}

/** Searches the DHT for every node. `providers` is the number of nodes found: a search can end before it finds all. */
async function findProviders(
  create: () => Promise<Network>,
  count: number,
  { samples, signal }: Measurement
): Promise<void> {
  let begin = performance.now()
  const network = await create()
  try {
    for (const kind of ['cold', 'warm'] satisfies Case[]) {
      const found = new Set<string>()
      for await (const { peerId, via } of network.providers(anyNodeCid(), signal)) {
        if (via === 'dht') found.add(peerId.toString())
        if (found.size === count) break
      }
      samples.add(kind, 'providers_ms', performance.now() - begin)
      samples.add(kind, 'providers', found.size)
      begin = performance.now()
    }
  } finally {
    await network.stop()
  }
}

/** Measures the time until the first verified card. */
async function findCards(create: () => Promise<Client>, { samples, signal }: Measurement): Promise<void> {
  let begin = performance.now()
  const client = await create()
  try {
    for (const kind of ['cold', 'warm'] satisfies Case[]) {
      let first: number | undefined
      for await (const _ of client.nodes({ signal })) first ??= performance.now() - begin
      if (first === undefined) throw new Error('The client found no card.')
      samples.add(kind, 'card_ms', first)
      begin = performance.now()
    }
  } finally {
    await client.stop()
  }
}

async function firstTokens(create: () => Promise<Client>, { samples, signal }: Measurement): Promise<void> {
  const begin = performance.now()
  const client = await create()
  const creation = performance.now() - begin
  try {
    const ask = (): Promise<number> => throughNetwork(client, { messages: nextQuestion(), signal }, crumb.Q8_0.name)
    samples.add('cold', 'first_token_ms', creation + (await ask()))
    for (let index = 0; index < WARM_REQUESTS; index++) samples.add('warm', 'first_token_ms', await ask())
  } finally {
    await client.stop()
  }
}

/** Sends the same requests to an engine of this process, without a network. */
async function engineAlone({ samples, signal }: Measurement): Promise<void> {
  const engine = await startBenchEngine({ signal })
  try {
    for (let index = 0; index < CLIENTS * WARM_REQUESTS; index++) {
      samples.add('engine', 'first_token_ms', await throughEngine(engine, { messages: nextQuestion(), signal }))
    }
  } finally {
    await engine.close()
  }
}

let asked = 0

/** A new prompt on every call, so that no node has all of it in its cache. */
function nextQuestion(): ChatMessage[] {
  asked++
  return [{ role: 'user', content: `${asked} plus ${asked + 3} is what?` }]
}
