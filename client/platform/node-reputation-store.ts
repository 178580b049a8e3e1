/** A reputation store in an SQLite file, for Node. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'

import { MAX_KEPT_ANSWERS, parseState, type ReputationStore, type StoredPeer } from '../reputation/index.ts'

/** Increases when older rows need a migration. */
const SCHEMA_VERSION = 2
/** The migration from version 1, which had other names for a ban and a quarantine. Both must survive the rename. */
const RENAME_STANDINGS = `
  UPDATE peers SET state = replace(replace(state, '"convicted":', '"banned":'), '"setAsideAt":', '"quarantinedAt":');`
/** How long a write waits while another process of the same user writes. One row takes far less than a millisecond. */
const BUSY_TIMEOUT_MS = 2_000

/**
 * One row for each (peer, digest), written with every change. In WAL mode a killed process leaves either
 * the old row or the new one, and a state survives once `save` has returned. A power cut can lose the last
 * observations, but the file stays consistent.
 */
export class SqliteReputationStore implements ReputationStore {
  readonly #database: DatabaseSync
  readonly #save: StatementSync
  readonly #remove: StatementSync
  readonly #keep: StatementSync
  readonly #trim: StatementSync

  /**
   * @param path the file; created if it does not exist
   * @throws Error if the file cannot be opened, is not a database, or was written by a newer version
   */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    try {
      this.#prepareSchema(path)
      this.#save = this.#database.prepare(
        'INSERT INTO peers (peer, digest, state) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state'
      )
      this.#remove = this.#database.prepare('DELETE FROM peers WHERE peer = ? AND digest = ?')
      this.#keep = this.#database.prepare('INSERT INTO answers (peer, digest, answer) VALUES (?, ?, ?)')
      this.#trim = this.#database.prepare(
        'DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE peer = ? AND digest = ? ORDER BY id DESC LIMIT -1 OFFSET ?)'
      )
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** Skips damaged rows: a peer with a damaged row is unknown again. */
  *load(): Generator<StoredPeer, void, void> {
    for (const row of this.#database.prepare('SELECT peer, digest, state FROM peers').all()) {
      const { peer, digest, state: json } = row
      if (typeof peer !== 'string' || typeof digest !== 'string' || typeof json !== 'string') continue
      const state = parseState(json)
      if (state !== undefined) yield { peer, digest, state }
    }
  }

  save({ peer, digest, state }: StoredPeer): void {
    this.#save.run(peer, digest, JSON.stringify(state))
  }

  remove(peer: string, digest: string): void {
    this.#remove.run(peer, digest)
    this.#trim.run(peer, digest, 0)
  }

  keep(peer: string, digest: string, answer: Uint8Array): void {
    this.#keep.run(peer, digest, answer)
    this.#trim.run(peer, digest, MAX_KEPT_ANSWERS)
  }

  kept(peer: string, digest: string): Uint8Array[] {
    const rows = this.#database
      .prepare('SELECT answer FROM answers WHERE peer = ? AND digest = ? ORDER BY id')
      .all(peer, digest)
    return rows.flatMap(({ answer }) => (answer instanceof Uint8Array ? [answer] : []))
  }

  close(): void {
    this.#database.close()
  }

  #prepareSchema(path: string): void {
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    const version = Number(this.#database.prepare('PRAGMA user_version').get()?.user_version)
    if (version > SCHEMA_VERSION) {
      throw new Error(
        `Cannot open ${path}: a newer version of Potluck wrote it. Update Potluck, or choose another file.`
      )
    }
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS peers (
        peer TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (peer, digest)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS answers (
        id INTEGER PRIMARY KEY, peer TEXT NOT NULL, digest TEXT NOT NULL, answer BLOB NOT NULL
      );
      CREATE INDEX IF NOT EXISTS answers_of ON answers (peer, digest);
      ${version === 1 ? RENAME_STANDINGS : ''}
      PRAGMA user_version = ${SCHEMA_VERSION}
    `)
  }
}
