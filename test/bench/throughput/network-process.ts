/** A relay and a node that serves the model. The process ends when the IPC channel to its parent closes. */
import { pino } from 'pino'
import { startLlamaEngine, startNode, startRelay } from '../../../node/index.ts'
import { advertised } from '../../../scripts/testnet/advertised.ts'
import type { Serving } from './network.ts'
import type { BenchModel } from './target.ts'

const { path, slots, contextLength, threads, remember } = JSON.parse(process.argv[2] ?? '') as BenchModel
const logger = pino({ level: 'warn' }, pino.destination(2))
const common = { listen: ['/ip4/127.0.0.1/tcp/0'], scope: 'local', logger } as const

const engine = await startLlamaEngine({
  modelPath: path,
  slots,
  contextLength,
  threads,
  ...(remember === undefined ? {} : { remember }),
  gpu: false,
  logger
})
const relay = await startRelay(common)
const node = await startNode({ ...common, engine, bootstrap: relay.addresses() })

async function shutDown(): Promise<void> {
  await node.stop()
  await relay.stop()
  await engine.close()
  process.exit(0)
}

process.once('disconnect', () => void shutDown())
await advertised(node)
process.send?.({ addresses: relay.addresses() } satisfies Serving)
