/** What this machine learnt of nodes, and is to keep. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { SqliteReputationStore, type ReputationStore } from '@potluck/client'

import { dataDirectories } from './data-directory.ts'
import type { CommandContext } from './program.ts'

/** @throws Error if it cannot be opened */
export async function openStore({ settings, env }: Pick<CommandContext, 'settings' | 'env'>): Promise<ReputationStore> {
  const directory = dataDirectories(settings, env).client
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return new SqliteReputationStore(join(directory, 'reputation.sqlite'))
}
