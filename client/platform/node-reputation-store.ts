/** Reputations in an SQLite file, for Node. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'

import { MAX_KEPT_ANSWERS, parseState, type ReputationStore, type StoredPeer } from '../reputation/index.ts'

/** Counts up when rows of before cannot be read any more. */
const SCHEMA_VERSION = 2
/** From version 1, which used other words for a ban and a quarantine. A ban must outlive the rename. */
const RENAME_STANDINGS = `
  UPDATE peers SET state = replace(replace(state, '"convicted":', '"banned":'), '"setAsideAt":', '"quarantinedAt":');`
/** Another process of the same user may be writing: a row takes well below a millisecond. */
const BUSY_TIMEOUT_MS = 2_000

/**
 * One row for each (peer, digest), written as it is learnt. In WAL mode a killed process leaves either
 * the old row or the new one, and what `save` returned for survives it; a power cut may take the last
 * moments along, which costs some observations and no consistency.
 */
export class SqliteReputationStore implements ReputationStore {
  readonly #database: DatabaseSync
  readonly #save: StatementSync
  readonly #remove: StatementSync
  readonly #keep: StatementSync
  readonly #trim: StatementSync

  /**
   * @param path a file, made if it is not there
   * @throws Error if the file cannot be opened, is no database, or was written by a newer version
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

  /** Rows that no longer read are left out: a peer whose row is damaged begins anew. */
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
      throw new Error(`${path} was written by a newer version of Potluck; update, or name another file`)
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
