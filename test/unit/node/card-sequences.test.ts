import { CARD_TTL_MS, MAX_REMEMBERED_CARDS } from '@potluck/protocol'
import { MemoryDatastore } from 'datastore-core'
import { expect, test } from 'vitest'

import { handleFrom } from '../../../node/dht/request-source.ts'
import { CardSequences } from '../../../node/data/card-sequences.ts'

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

test('the cards of one subnet do not make a peer forget the sequences of other nodes', async () => {
  const sequences = await CardSequences.open(new MemoryDatastore(), () => NOW)
  for (let node = 0; node < 8; node++) handleFrom(`home ${node}`, () => sequences.set(`honest ${node}`, NOW))
  handleFrom('attacker', () => {
    for (let key = 0; key < MAX_REMEMBERED_CARDS + 10; key++) sequences.set(`invented ${key}`, NOW)
  })
  const known = Array.from({ length: 8 }, (_, node) => sequences.get(`honest ${node}`))
  expect(known).toEqual(known.map(() => NOW))
  expect(sequences.get('invented 0')).toBeUndefined()
})
