/** A client by the settings. */
import { createClient, type Client } from '@potluck/client'

import { EXIT_USAGE, Failure } from './failure.ts'
import { localNodeAddresses } from './local-node.ts'
import type { CommandContext } from './program.ts'

/** @throws Failure with no way to find anybody; PotluckError for an address that is none */
export async function connect({ settings, env, interrupted }: CommandContext): Promise<Client> {
  const { scope } = settings
  // A node on this machine leads into the network, also where multicast is blocked.
  const bootstrap =
    settings.bootstrap.length > 0 ? settings.bootstrap : await localNodeAddresses(settings, env, interrupted)
  const mdns = settings.mdns ?? bootstrap.length === 0
  if (bootstrap.length === 0 && !mdns) {
    throw new Failure(
      'no way to find nodes: mDNS is off and no bootstrap address is given; name a peer with --bootstrap, or allow mDNS',
      { exitCode: EXIT_USAGE }
    )
  }
  return await createClient({
    bootstrap,
    mdns,
    signal: interrupted,
    ...(scope === undefined ? {} : { scope })
  })
}
