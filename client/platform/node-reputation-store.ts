/** A reputation store in an SQLite file, for Node. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

import { MAX_KEPT_ANSWERS, parseState, type ReputationStore, type StoredPeer } from '../reputation/index.ts'
import { openDatabase, type Schema } from './node-database.ts'

/** The migration from version 1, which had other names for a ban and a quarantine. Both must survive the rename. */
const RENAME_STANDINGS = `
  UPDATE peers SET state = replace(replace(state, '"convicted":', '"banned":'), '"setAsideAt":', '"quarantinedAt":')`
const SCHEMA: Schema = {
  version: 2,
  sql: (fromVersion) => `
    CREATE TABLE IF NOT EXISTS peers (
      peer TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (peer, digest)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS answers (
      id INTEGER PRIMARY KEY, peer TEXT NOT NULL, digest TEXT NOT NULL, answer BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS answers_of ON answers (peer, digest);
    ${fromVersion === 1 ? RENAME_STANDINGS : ''}`
}

/** One row for each (peer, digest), written with every change. */
export class SqliteReputationStore implements ReputationStore {
  readonly #database: DatabaseSync
  readonly #save: StatementSync
  readonly #remove: StatementSync
  readonly #keep: StatementSync
  readonly #trim: StatementSync

  /**
   * @param path the file; created if it does not exist
   * @throws as `openDatabase`
   */
  constructor(path: string) {
    const opened = openDatabase(path, SCHEMA, (database) => ({
      database,
      save: database.prepare(
        'INSERT INTO peers (peer, digest, state) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state'
      ),
      remove: database.prepare('DELETE FROM peers WHERE peer = ? AND digest = ?'),
      keep: database.prepare('INSERT INTO answers (peer, digest, answer) VALUES (?, ?, ?)'),
      trim: database.prepare(
        'DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE peer = ? AND digest = ? ORDER BY id DESC LIMIT -1 OFFSET ?)'
      )
    }))
    this.#database = opened.database
    this.#save = opened.save
    this.#remove = opened.remove
    this.#keep = opened.keep
    this.#trim = opened.trim
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
}
