/** A client by the settings. */
import { createClient, type Client, type ReputationSettings } from '@potluck/client'

import { EXIT_USAGE, Failure } from './failure.ts'
import { findLocalNode } from './local-node.ts'
import type { CommandContext } from './program.ts'
import { openStore } from './store.ts'
import { printNote } from './terminal/output.ts'

/** @throws Failure with no way to find anybody; PotluckError for an address that is none */
export async function connect(context: CommandContext): Promise<Client> {
  const { settings, env, interrupted } = context
  const { scope, mode, trusted } = settings
  const local = await findLocalNode(settings, env, interrupted)
  // A node on this machine leads into the network, also where multicast is blocked.
  const bootstrap = [...settings.bootstrap, ...(local?.addresses ?? [])]
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
    mode,
    trusted,
    reputation: await remembered(context),
    signal: interrupted,
    ...(local === undefined ? {} : { localNode: local.peerId, auditor: local.auditor }),
    ...(scope === undefined ? {} : { scope })
  })
}

/** A disk that fails is told once, and stops nobody from asking. */
async function remembered(context: CommandContext): Promise<ReputationSettings> {
  let told = false
  const onStoreError = ({ message }: Error): void => {
    if (!told) printNote(`potluck: what is learnt of nodes cannot be kept: ${message}`)
    told = true
  }
  try {
    return { store: await openStore(context), onStoreError }
  } catch (error) {
    onStoreError(error instanceof Error ? error : new Error(String(error)))
    return {}
  }
}
