/** Opens the node's identity and datastore: in the data directory, or in memory without one. */
import { join } from 'node:path'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { loadOrCreateSelfKey } from '@libp2p/config'
import type { PrivateKey } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'

import { MAX_STORED_CARDS } from '../limits/limits.ts'
import { BoundedDatastore } from './bounded-datastore.ts'
import { createDataFolder, describeDisk } from './data-folder.ts'
import { SurvivingDatastore } from './surviving-datastore.ts'

export interface Identity {
  privateKey: PrivateKey
  datastore: Datastore
  close: () => Promise<void>
}

export interface IdentityOptions {
  /** Created if it does not exist, with access for its owner only. */
  dataDirectory?: string | undefined
  /** Default: the key in the data directory, or a new one. */
  privateKey?: PrivateKey | undefined
  /**
   * Called when the data directory cannot be written, with the reason and the remedy in one line, and with undefined
   * when it can be written again. The datastore keeps new entries in memory meanwhile.
   */
  onDiskError?: ((message: string | undefined) => void) | undefined
}

/** The keys under which kad-dht stores the cards of other peers. */
const BOUNDS = { '/dht/record/': MAX_STORED_CARDS }
/** The keys under which earlier versions stored provider records. kad-dht would publish the node's own ones again. */
const OLD_PROVIDERS = '/dht/provider/'

/**
 * Opens the data directory and locks it for this process.
 *
 * @throws Error in one line, if another daemon holds the lock or the directory cannot be written
 */
export async function openIdentity({ dataDirectory, privateKey, onDiskError }: IdentityOptions): Promise<Identity> {
  if (dataDirectory === undefined) {
    return {
      privateKey: privateKey ?? (await generateKeyPair('Ed25519')),
      datastore: await BoundedDatastore.open(new MemoryDatastore(), BOUNDS),
      close: async () => {}
    }
  }
  await createDataFolder(dataDirectory)
  const level = new LevelDatastore(join(dataDirectory, 'datastore'))
  try {
    // `level.open` would drop the error's code.
    await level.db.open()
  } catch (cause) {
    throw new Error(openFailure(dataDirectory, cause), { cause })
  }
  const onDisk = (error: Error | undefined): void => onDiskError?.(error && describeDisk(dataDirectory, error))
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    await level.close()
  }
  const reopen = async (): Promise<void> => {
    await level.db.close()
    if (!closing) await level.db.open()
  }
  const surviving = new SurvivingDatastore(level, { clock: () => performance.now(), reopen, onChange: onDisk })
  try {
    const key =
      privateKey ??
      (await loadOrCreateSelfKey(level).catch((cause: unknown) => {
        throw new Error(describeDisk(dataDirectory, cause), { cause })
      }))
    for await (const row of level.queryKeys({ prefix: OLD_PROVIDERS })) await level.delete(row)
    return { privateKey: key, datastore: await BoundedDatastore.open(surviving, BOUNDS), close }
  } catch (error) {
    await close()
    throw error
  }
}

function openFailure(dataDirectory: string, error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    return `another potluck node uses ${dataDirectory}: stop it, or give this node another data directory`
  }
  if (/no space left|read-only/i.test(cause instanceof Error ? cause.message : ''))
    return describeDisk(dataDirectory, cause)
  const what = `cannot open the data in ${dataDirectory}: ${cause instanceof Error ? cause.message : String(error)}`
  return code === 'LEVEL_CORRUPTION'
    ? `${what}; restore it from a backup, or move the folder "datastore" away and start with a new identity`
    : what
}
