import { CARD_TTL_MS } from '@potluck/protocol'
import { MemoryDatastore } from 'datastore-core'
import { expect, test } from 'vitest'

import { CardSequences } from '../../../node/network/card-sequences.ts'

const NOW = Date.UTC(2026, 0, 1)

test('a restarted peer knows the newest sequence of each node, until older cards have expired', async () => {
  const datastore = new MemoryDatastore()
  let now = NOW
  const first = await CardSequences.open(datastore, () => now)
  first.set('moved', NOW - 1_000)
  first.set('moved', NOW)
  first.set('silent', NOW - CARD_TTL_MS + 1)
  now = NOW + 10
  const second = await CardSequences.open(datastore, () => now)
  expect([second.get('moved'), second.get('silent'), second.get('unknown')]).toEqual([NOW, undefined, undefined])
  now = NOW + CARD_TTL_MS
  const third = await CardSequences.open(datastore, () => now)
  expect(third.get('moved')).toBeUndefined()
  for await (const key of datastore.queryKeys({})) expect.unreachable(key.toString())
})
