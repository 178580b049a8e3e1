import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { SqliteReputationStore, type ReputationStore } from '@potluck/client'

import type { CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'

/**
 * Opens the database with what this machine knows about nodes.
 *
 * @throws Error if it cannot be opened
 */
export async function openStore({ settings, env }: Pick<CommandContext, 'settings' | 'env'>): Promise<ReputationStore> {
  const directory = dataDirectories(settings, env).client
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return new SqliteReputationStore(join(directory, 'reputation.sqlite'))
}
