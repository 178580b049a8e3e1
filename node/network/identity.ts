/** Who the node is, and what it keeps: a datastore in the data directory, or in memory without one. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { loadOrCreateSelfKey } from '@libp2p/config'
import type { PrivateKey } from '@libp2p/interface'
import { LevelDatastore } from 'datastore-level'

export interface Identity {
  privateKey: PrivateKey
  /** Undefined: libp2p keeps everything in memory. */
  datastore: LevelDatastore | undefined
  close: () => Promise<void>
}

export interface IdentityOptions {
  /** Created if it is not there, for its owner alone. */
  dataDirectory?: string | undefined
  /** Default: the data directory's, or a new one. */
  privateKey?: PrivateKey | undefined
}

/**
 * Opens the data directory, which only one process can hold.
 *
 * @throws Error in one line, if another daemon holds it or it cannot be written
 */
export async function openIdentity({ dataDirectory, privateKey }: IdentityOptions): Promise<Identity> {
  if (dataDirectory === undefined) {
    return { privateKey: privateKey ?? (await generateKeyPair('Ed25519')), datastore: undefined, close: async () => {} }
  }
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const datastore = new LevelDatastore(join(dataDirectory, 'datastore'))
  try {
    // The level store itself says what went wrong; `datastore.open` would drop the code.
    await datastore.db.open()
  } catch (cause) {
    throw new Error(openFailure(dataDirectory, cause), { cause })
  }
  try {
    const key = privateKey ?? (await loadOrCreateSelfKey(datastore))
    return { privateKey: key, datastore, close: async () => await datastore.close() }
  } catch (error) {
    await datastore.close()
    throw error
  }
}

function openFailure(dataDirectory: string, error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED') {
    return `another potluck node uses ${dataDirectory}: stop it, or give this one a directory of its own`
  }
  return `cannot open the data in ${dataDirectory}: ${cause instanceof Error ? cause.message : String(error)}`
}
