import { pino, type Logger } from 'pino'

import type { Settings } from '../settings/table.ts'

/** Logs JSON lines to stderr. Each line is written synchronously, so that a crash does not lose the last lines. */
export function createLogger({ logLevel }: Pick<Settings, 'logLevel'>): Logger {
  return pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }))
}
