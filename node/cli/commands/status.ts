/** `potluck status`: the daemon on this machine, asked over its control socket. */
import { readStatus } from '../../control/client.ts'
import type { NodeStatus } from '../../control/status.ts'
import { dataDirectories } from '../data-directory.ts'
import type { CommandContext } from '../program.ts'
import { printJson, printLine } from '../terminal/output.ts'
import { duration, rate, shortDigest } from '../terminal/units.ts'

/** @throws Error in one line, if no daemon runs */
export async function status({ settings, env, interrupted }: CommandContext): Promise<number> {
  const node = await readStatus(dataDirectories(settings, env).node, interrupted)
  if (settings.json) printJson(node)
  else printLine(describe(node))
  return 0
}

function describe({
  peerId,
  agent,
  uptimeMs,
  draining,
  engine,
  load,
  card,
  reachability,
  connections,
  addresses
}: NodeStatus): string {
  const state = draining ? 'leaving' : engine.state === 'failed' ? `failed: ${engine.reason}` : engine.state
  return [
    ['state', `${state}, for ${duration(uptimeMs)}`],
    ['peer', peerId],
    ['software', agent],
    ...card.models.flatMap((model) => [
      ['model', `${model.name}, ${shortDigest(model.digest)}, context ${model.contextLength}`],
      ['speed', `prefill ${rate(model.prefillTokensPerSecond)}, decode ${rate(model.decodeTokensPerSecond)}`]
    ]),
    [
      'load',
      `${load.active} of ${load.slots} slots, ${load.queued} waiting, ${duration(load.estimatedWaitMs)} for a new request`
    ],
    ['reachable', reachability],
    ['peers', String(connections)],
    ...addresses.map((address, index) => [index === 0 ? 'addresses' : '', address])
  ]
    .map(([head = '', text = '']) => `${head.padEnd(11)}${text}`)
    .join('\n')
}
