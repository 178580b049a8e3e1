import { pino } from 'pino'
import { expect, test } from 'vitest'

import { forPeople } from '../../../node/cli/daemon/log.ts'

test('on a terminal a log line is a sentence with its fields, without a stack', () => {
  const lines: string[] = []
  const logger = pino({ level: 'info', base: null }, forPeople({ write: (line) => void lines.push(line) }))
  logger.warn({ peer: '12D3KooW', retryMs: 500, reason: 'no answer' }, 'a bootstrap peer does not answer')
  logger.error({ err: new Error('the disk is full') }, 'cannot save')
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d warn {2}a bootstrap peer does not answer {2}peer=12D3KooW {2}retryMs=500 {2}reason="no answer"\n$/
  )
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d error cannot save {2}err="the disk is full"\n$/)
})
