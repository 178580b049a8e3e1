/** Connects a client to the network that the settings describe. */
import { createClient, type Client, type ReputationSettings } from '@potluck/client'

import type { CommandContext } from '../settings/context.ts'
import { messageOf, usageError } from '../terminal/errors.ts'
import { printNote } from '../terminal/output.ts'
import { findLocalNode } from './local-node.ts'
import { openStore } from './store.ts'

/**
 * @throws CommandError if the settings give no way to find a peer
 * @throws PotluckError `invalid_request` for an invalid address
 */
export async function connect(context: CommandContext): Promise<Client> {
  const { settings, env, interrupted } = context
  const { scope, mode, trusted } = settings
  const local = await findLocalNode(settings, env, interrupted)
  // The client can join through the node on this machine, even if the LAN blocks multicast.
  const bootstrap = [...settings.bootstrap, ...(local?.addresses ?? [])]
  const mdns = settings.mdns ?? bootstrap.length === 0
  if (bootstrap.length === 0 && !mdns) {
    throw usageError(
      'cannot find any node: mDNS is off, and there is no bootstrap address; give the address of a peer with --bootstrap, or allow mDNS with --mdns'
    )
  }
  return await createClient({
    bootstrap,
    mdns,
    mode,
    trusted,
    reputation: await openReputation(context),
    signal: interrupted,
    ...(local === undefined ? {} : { localNode: local.peerId, auditor: local.auditor }),
    ...(scope === undefined ? {} : { scope })
  })
}

/** If the disk fails, the command continues without saving, and prints one warning. */
async function openReputation(context: CommandContext): Promise<ReputationSettings> {
  let warned = false
  const onStoreError = (error: unknown): void => {
    if (!warned) {
      printNote(
        `potluck: cannot save what this command learns about nodes: ${messageOf(error)}; check the folder of --data-dir`
      )
    }
    warned = true
  }
  try {
    return { store: await openStore(context), onStoreError }
  } catch (error) {
    onStoreError(error)
    return {}
  }
}
