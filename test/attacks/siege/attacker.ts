/** The process of the attackers: runs every assault until its parent ends. Its argument is the target as JSON. */
import { setTimeout as sleep } from 'node:timers/promises'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { Internet } from '../internet.ts'
import { maliciousNode, type MaliciousCall } from '../malicious-node.ts'
import { AttackedNetwork } from '../network.ts'
import { ASSAULTS, PAUSE_MS, type Assault, type SiegeTarget } from './assaults.ts'

const target = JSON.parse(process.argv[2] ?? '') as SiegeTarget
process.on('disconnect', () => process.exit(0))
// An attacker does not care which of its streams and connections fail.
process.on('unhandledRejection', () => undefined)

const network = new AttackedNetwork()
const internet = new Internet()
const engine = new ScriptedEngine()

/** Nodes that claim to be fast. One refuses everything, one never answers, one cuts each answer after a few tokens. */
const MALICIOUS: ReadonlyArray<(call: MaliciousCall) => Promise<void>> = [
  async (call) => await call.error('invalid_request'),
  async () => await new Promise(() => undefined),
  async (call) => {
    await call.accept(await engine.tokenize(call.request.input))
    await call.checked(0)
    await call.delta([...Buffer.from('forged')], 'forged')
    await call.cut()
  }
]

/** Reports each round that succeeded. A round fails, for example, if the target refuses the connection. */
async function repeat(name: string, assault: Assault): Promise<never> {
  for (let round = 0; ; round++) {
    await assault({ target, internet }, round).then(
      () => process.send?.({ round: name }),
      async () => await sleep(PAUSE_MS)
    )
  }
}

const addresses: string[] = []
for (const [index, serve] of MALICIOUS.entries()) {
  const { address } = await maliciousNode(network, engine, serve, [`/ip4/${internet.host(`5.77.${index}.1`)}/tcp/4001`])
  addresses.push(address)
}
process.send?.({ malicious: addresses })
for (const [name, assault] of Object.entries(ASSAULTS)) void repeat(name, assault)
