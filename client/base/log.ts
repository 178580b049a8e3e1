/**
 * The client's logs, silent unless the environment asks for them: `DEBUG=potluck:*` in Node, `localStorage.debug` in a
 * browser. They hold peer ids, codes, counts and times. They never hold a prompt or an answer.
 */
import { logger, type Logger } from '@libp2p/logger'

export const log: Readonly<Record<'discover' | 'select' | 'generate' | 'embed' | 'audit', Logger>> = {
  discover: logger('potluck:client:discover'),
  select: logger('potluck:client:select'),
  generate: logger('potluck:client:generate'),
  embed: logger('potluck:client:embed'),
  audit: logger('potluck:client:audit')
}
