/** Who the node is, and what it keeps: a datastore in the data directory, or in memory without one. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { loadOrCreateSelfKey } from '@libp2p/config'
import type { PrivateKey } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'

import { MAX_STORED_CARDS, MAX_STORED_PROVIDERS } from '../limits.ts'
import { BoundedDatastore } from './bounded-datastore.ts'

export interface Identity {
  privateKey: PrivateKey
  datastore: Datastore
  close: () => Promise<void>
}

export interface IdentityOptions {
  /** Created if it is not there, for its owner alone. */
  dataDirectory?: string | undefined
  /** Default: the data directory's, or a new one. */
  privateKey?: PrivateKey | undefined
}

/** Where kad-dht keeps what others store with it. */
const BOUNDS = { '/dht/record/': MAX_STORED_CARDS, '/dht/provider/': MAX_STORED_PROVIDERS }

/**
 * Opens the data directory, which only one process can hold.
 *
 * @throws Error in one line, if another daemon holds it or it cannot be written
 */
export async function openIdentity({ dataDirectory, privateKey }: IdentityOptions): Promise<Identity> {
  if (dataDirectory === undefined) {
    return {
      privateKey: privateKey ?? (await generateKeyPair('Ed25519')),
      datastore: await BoundedDatastore.over(new MemoryDatastore(), BOUNDS),
      close: async () => {}
    }
  }
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const level = new LevelDatastore(join(dataDirectory, 'datastore'))
  try {
    // The level store itself says what went wrong; `level.open` would drop the code.
    await level.db.open()
  } catch (cause) {
    throw new Error(openFailure(dataDirectory, cause), { cause })
  }
  const close = async (): Promise<void> => await level.close()
  try {
    const key = privateKey ?? (await loadOrCreateSelfKey(level))
    return { privateKey: key, datastore: await BoundedDatastore.over(level, BOUNDS), close }
  } catch (error) {
    await close()
    throw error
  }
}

function openFailure(dataDirectory: string, error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    return `another potluck node uses ${dataDirectory}: stop it, or give this one a directory of its own`
  }
  const what = `cannot open the data in ${dataDirectory}: ${cause instanceof Error ? cause.message : String(error)}`
  return code === 'LEVEL_CORRUPTION'
    ? `${what}; restore it, or move its datastore away and start as a new peer that nobody knows yet`
    : what
}
