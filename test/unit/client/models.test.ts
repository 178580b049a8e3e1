import { expect, test } from 'vitest'

import { toModelViews } from '../../../client/discover/models.ts'
import { IDLE, knownNode, model } from '../select/help.ts'

test('nodes with one digest are one entry of `models`; a draining node does not count', () => {
  const views = toModelViews([
    knownNode('a', { card: { models: [model({ name: 'a/a:Q8_0', decodeTokensPerSecond: 10 })] } }),
    knownNode('b', {
      card: { models: [model({ name: 'a/a:Q8_0', contextLength: 8192 })] },
      load: { ...IDLE, active: 1 }
    }),
    knownNode('c', { card: { models: [model({ name: 'b/b:Q8_0' })], draining: true } })
  ])
  expect(views).toHaveLength(1)
  expect(views[0]).toMatchObject({
    name: 'a/a:Q8_0',
    nodes: 2,
    freeSlots: 3,
    contextLength: 8192,
    decodeTokensPerSecond: 100
  })
})
