/** A store of saved peers in an SQLite file, for Node. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

import type { PeerStore, SavedPeer } from '../peers/peer-store.ts'
import { openDatabase, type DatabaseOptions } from './node-database.ts'
import { RetryingWriter } from './node-retrying-writer.ts'

/** Rows that are read. The client keeps fewer; another process can have added some. */
const MAX_ROWS = 1_024

interface Prepared {
  database: DatabaseSync
  save: StatementSync
  remove: StatementSync
}

export class SqlitePeerStore implements PeerStore {
  readonly #database: DatabaseSync
  readonly #save: StatementSync
  readonly #remove: StatementSync
  readonly #writer = new RetryingWriter()

  /**
   * @param path the file; created if it does not exist
   * @throws as `openDatabase`
   */
  constructor(path: string, { onDamage }: Pick<DatabaseOptions, 'onDamage'> = {}) {
    const schema = {
      table: 'peers',
      version: 1,
      sql: () =>
        'CREATE TABLE IF NOT EXISTS peers (peer TEXT PRIMARY KEY, addresses TEXT NOT NULL, seen_at REAL NOT NULL) WITHOUT ROWID'
    }
    const prepare = (database: DatabaseSync): Prepared => ({
      database,
      save: database.prepare(
        `INSERT INTO peers (peer, addresses, seen_at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET addresses = excluded.addresses, seen_at = excluded.seen_at`
      ),
      remove: database.prepare('DELETE FROM peers WHERE peer = ?')
    })
    const opened = openDatabase(path, schema, prepare, { onDamage })
    this.#database = opened.database
    this.#save = opened.save
    this.#remove = opened.remove
  }

  /** Skips damaged rows. */
  load(): SavedPeer[] {
    const rows = this.#database
      .prepare('SELECT peer, addresses, seen_at FROM peers ORDER BY seen_at DESC LIMIT ?')
      .all(MAX_ROWS)
    return rows.flatMap(({ peer, addresses, seen_at: seenAt }) =>
      typeof peer === 'string' && typeof addresses === 'string' && typeof seenAt === 'number'
        ? [{ peer, addresses: addresses.split('\n'), seenAt }]
        : []
    )
  }

  save({ peer, addresses, seenAt }: SavedPeer): void {
    this.#writer.write(peer, () => this.#save.run(peer, addresses.join('\n'), seenAt))
  }

  remove(peer: string): void {
    this.#writer.write(peer, () => this.#remove.run(peer))
  }

  close(): void {
    try {
      this.#writer.close()
    } finally {
      this.#database.close()
    }
  }
}
