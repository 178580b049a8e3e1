/** Opens SQLite files, for Node. */
import { DatabaseSync } from 'node:sqlite'

/** How long a write waits while another process of the same user writes. One row takes far less than a millisecond. */
const BUSY_TIMEOUT_MS = 2_000

export interface Schema {
  /** Increases when older rows need a migration. */
  version: number
  /** SQL that creates the tables if they do not exist, and migrates older rows. */
  sql: (fromVersion: number) => string
}

/**
 * In WAL mode a killed process leaves either the old row or the new one, and a row survives once it is written. A power
 * cut can lose the last rows, but the file stays consistent.
 *
 * @param path the file; created if it does not exist
 * @param prepare prepares the statements. If it fails, the file is closed
 * @throws Error if the file cannot be opened, is not a database, or was written by a newer version
 */
export function openDatabase<T>(path: string, { version, sql }: Schema, prepare: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    const written = Number(database.prepare('PRAGMA user_version').get()?.user_version)
    if (written > version) {
      throw new Error(
        `Cannot open ${path}: a newer version of Potluck wrote it. Update Potluck, or choose another file.`
      )
    }
    database.exec(`${sql(written)}; PRAGMA user_version = ${version}`)
    return prepare(database)
  } catch (error) {
    database.close()
    throw error
  }
}
