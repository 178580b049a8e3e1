/** Opens the LevelDB datastore, and moves a damaged one aside. */
import { readdir } from 'node:fs/promises'

import { LevelDatastore } from 'datastore-level'

import { moveAside } from './data-folder.ts'

/** The datastore is damaged: it cannot be opened, or not all of its entries can be read. */
export class DamagedDatastore extends Error {
  override readonly name = 'DamagedDatastore'
}

/**
 * Opens a datastore and locks it for this process. Moves a damaged datastore aside, and opens a new one.
 *
 * @param onDamage called with the new path of the damaged datastore
 * @throws Error with LevelDB's error as its cause
 */
export async function openReplacing(folder: string, onDamage: (moved: string) => void): Promise<LevelDatastore> {
  try {
    return await openDatastore(folder)
  } catch (error) {
    if (!(error instanceof DamagedDatastore)) throw error
    onDamage(await moveAside(folder))
    return await openDatastore(folder)
  }
}

/**
 * Opens a datastore, locks it for this process, and reads all entries once.
 *
 * @throws DamagedDatastore; Error with LevelDB's error as its cause
 */
export async function openDatastore(folder: string): Promise<LevelDatastore> {
  if (await lacksCurrent(folder)) throw new DamagedDatastore('the file CURRENT is missing')
  const level = new LevelDatastore(folder)
  try {
    // `level.open` would drop the error's code.
    await level.db.open()
    // LevelDB finds most damage only when it reads the entry.
    for await (const entry of level.db.iterator()) void entry
    return level
  } catch (error) {
    await level.db.close()
    if (isDamage(error)) throw new DamagedDatastore('LevelDB cannot read its files', { cause: error })
    throw error
  }
}

/** LevelDB takes a folder without the file CURRENT for a new one, and deletes the entries in it. */
async function lacksCurrent(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => [])
  return !names.includes('CURRENT') && names.some((name) => /^MANIFEST-|\.(?:ldb|sst)$/.test(name))
}

function isDamage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && cause.code === 'LEVEL_CORRUPTION') return true
    // A file that LevelDB wrote is gone, or has no content (then LevelDB cannot map it into memory).
    if (
      /Corruption:|No such file or directory|Invalid argument|does not exist \(create_if_missing/i.test(cause.message)
    )
      return true
  }
  return false
}
