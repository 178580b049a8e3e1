/**
 * `potluck relay`: runs a peer that introduces other peers to each other and relays their connections, until Ctrl-C.
 */
import { isPrivate } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'

import { startRelay } from '../../relay.ts'
import { describeReachability } from '../../control/status.ts'
import { createLogger } from '../daemon/log.ts'
import { bestAddress, reachOf } from '../daemon/reach.ts'
import { until, type CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'
import { printJson, printLine } from '../terminal/output.ts'

/** Fixed ports, because other peers save the address of a relay. 4001 is the usual port of libp2p. */
const LISTEN = ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4002/ws']

export async function relay({ settings, env, interrupted }: CommandContext): Promise<number> {
  const peer = await startRelay({
    ...reachOf(settings, LISTEN, true),
    dataDirectory: dataDirectories(settings, env).relay,
    logger: createLogger(settings)
  })
  const [peerId, addresses] = [peer.peerId.toString(), peer.addresses()]
  const reachability = describeReachability(addresses)
  if (settings.json) printJson({ type: 'ready', peerId, addresses, reachability })
  else {
    printLine(`Relay ${peerId}`)
    for (const address of addresses) printLine(`  ${address}`)
    printLine(
      `\nStart nodes and clients with its address:\n  potluck serve --bootstrap ${bestAddress(addresses) ?? ''}`
    )
    printLine(`\nReachable ${reachability}.`)
    if (addresses.every((address) => isPrivate(multiaddr(address)))) {
      printLine('To be reachable on the internet, give its public address: --announce /ip4/PUBLIC-ADDRESS/tcp/4001')
    }
    printLine('Press Ctrl-C to stop.')
  }
  await until(interrupted)
  await peer.stop()
  if (settings.json) printJson({ type: 'stopped' })
  return 0
}
