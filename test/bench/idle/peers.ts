/** Several nodes in one process, with scripted engines. They join through the address in the arguments. */
import { pino } from 'pino'

import { startNode } from '../../../node/index.ts'
import { advertised } from '../../../scripts/testnet/advertised.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'

const [count, address = ''] = process.argv.slice(2)
const logger = pino({ level: 'silent' })

process.once('disconnect', () => process.exit())
const start = async (): Promise<void> => {
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const engine = new ScriptedEngine()
  await advertised(await startNode({ engine, listen, bootstrap: [address], scope: 'local', logger }))
}
await Promise.all(Array.from({ length: Number(count) }, start))
process.send?.('ready')
