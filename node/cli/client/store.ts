import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { SqlitePeerStore, SqliteReputationStore, type PeerStore } from '@potluck/client'

import { createDataFolder } from '../../data/data-folder.ts'
import type { CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'
import { printNote } from '../terminal/output.ts'

const REPUTATION_FILE = 'reputation.sqlite'
const PEERS_FILE = 'peers.sqlite'

type StoreContext = Pick<CommandContext, 'settings' | 'env'>

/**
 * Opens the database with what this machine knows about nodes.
 *
 * @throws Error if it cannot be opened
 */
export async function openStore(context: StoreContext): Promise<SqliteReputationStore> {
  return new SqliteReputationStore(await fileOf(context, REPUTATION_FILE), { onDamage: printNote })
}

/**
 * Opens the database with the addresses of peers that answered this machine.
 *
 * @throws Error if it cannot be opened
 */
export async function openPeerStore(context: StoreContext): Promise<PeerStore> {
  return new SqlitePeerStore(await fileOf(context, PEERS_FILE), { onDamage: printNote })
}

async function fileOf({ settings, env }: StoreContext, name: string): Promise<string> {
  const directory = dataDirectories(settings, env).client
  await createDataFolder(directory)
  return join(directory, name)
}

/**
 * Deletes the kept answers of all nodes.
 *
 * @returns their number
 * @throws Error if the file cannot be opened, or another process uses it
 */
export async function forgetAnswers(context: StoreContext): Promise<number> {
  if (!existsSync(await fileOf(context, REPUTATION_FILE))) return 0
  const store = await openStore(context)
  try {
    return store.forgetAnswers()
  } finally {
    store.close()
  }
}

/**
 * Deletes all that this machine knows about nodes: both databases, their backups and damaged copies.
 *
 * @throws Error if the disk cannot be written
 */
export async function forgetEverything({ settings, env }: StoreContext): Promise<void> {
  await rm(dataDirectories(settings, env).client, { recursive: true, force: true })
}
