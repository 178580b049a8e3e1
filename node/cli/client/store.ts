import { join } from 'node:path'

import { SqlitePeerStore, SqliteReputationStore, type PeerStore, type ReputationStore } from '@potluck/client'

import { createDataFolder } from '../../network/data-folder.ts'
import type { CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'

type StoreContext = Pick<CommandContext, 'settings' | 'env'>

/**
 * Opens the database with what this machine knows about nodes.
 *
 * @throws Error if it cannot be opened
 */
export async function openStore(context: StoreContext): Promise<ReputationStore> {
  return new SqliteReputationStore(await fileOf(context, 'reputation.sqlite'))
}

/**
 * Opens the database with the addresses of peers that answered this machine.
 *
 * @throws Error if it cannot be opened
 */
export async function openPeerStore(context: StoreContext): Promise<PeerStore> {
  return new SqlitePeerStore(await fileOf(context, 'peers.sqlite'))
}

async function fileOf({ settings, env }: StoreContext, name: string): Promise<string> {
  const directory = dataDirectories(settings, env).client
  await createDataFolder(directory)
  return join(directory, name)
}
