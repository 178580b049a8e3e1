/**
 * The client's logs. They are off by default: `DEBUG=potluck:*` turns them on in Node, `localStorage.debug` in a
 * browser. They contain peer ids, codes, counts and times. They never contain a prompt or an answer.
 */
import { logger, type Logger } from '@libp2p/logger'

export const log: Readonly<Record<'discover' | 'select' | 'generate' | 'embed' | 'audit', Logger>> = {
  discover: logger('potluck:client:discover'),
  select: logger('potluck:client:select'),
  generate: logger('potluck:client:generate'),
  embed: logger('potluck:client:embed'),
  audit: logger('potluck:client:audit')
}
