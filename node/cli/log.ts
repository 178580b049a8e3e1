import { pino, type Logger } from 'pino'

import type { Settings } from './settings/table.ts'

/** JSON lines on stderr, written at once, so that the last one before a crash is not lost. */
export function createLogger({ logLevel }: Pick<Settings, 'logLevel'>): Logger {
  return pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }))
}
