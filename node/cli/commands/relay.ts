/** `potluck relay`: a peer that others start from. */
import { isPrivate } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'

import { startRelay } from '../../relay.ts'
import { describeReachability } from '../../control/status.ts'
import { bestAddress, reachOf, until } from '../daemon-options.ts'
import { dataDirectories } from '../data-directory.ts'
import { createLogger } from '../log.ts'
import type { CommandContext } from '../program.ts'
import { printJson, printLine } from '../terminal/output.ts'

/** Fixed, since others write them down. 4001 is the port that libp2p peers commonly use. */
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
    printLine(`\nNodes and clients start from it:\n  potluck serve --bootstrap ${bestAddress(addresses) ?? ''}`)
    printLine(`\nReachable ${reachability}.`)
    if (addresses.every((address) => isPrivate(multiaddr(address)))) {
      printLine('For the internet, say where it is found there: --announce /ip4/PUBLIC-ADDRESS/tcp/4001')
    }
    printLine('Ctrl-C stops it.')
  }
  await until(interrupted)
  await peer.stop()
  if (settings.json) printJson({ type: 'stopped' })
  return 0
}
