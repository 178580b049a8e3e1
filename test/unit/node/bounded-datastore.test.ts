import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'

import { BoundedDatastore } from '../../../node/data/bounded-datastore.ts'

const value = new Uint8Array([1])

async function keysOf(store: BoundedDatastore): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.queryKeys({})) keys.push(key.toString())
  return keys.toSorted()
}

test('the least recently written entry of the prefix is deleted, and other prefixes are not affected', async () => {
  const store = await BoundedDatastore.open(new MemoryDatastore(), { '/dht/record/': 3 })
  for (const name of ['/self', '/dht/record/a', '/dht/record/b', '/dht/record/c', '/dht/record/a', '/dht/record/d']) {
    await store.put(new Key(name), value)
  }
  expect(await keysOf(store)).toEqual(['/dht/record/a', '/dht/record/c', '/dht/record/d', '/self'])
})

test('deleted entries do not count', async () => {
  const store = await BoundedDatastore.open(new MemoryDatastore(), { '/x/': 2 })
  for (const name of ['/x/a', '/x/b']) await store.put(new Key(name), value)
  await store.delete(new Key('/x/a'))
  await store.put(new Key('/x/c'), value)
  expect(await keysOf(store)).toEqual(['/x/b', '/x/c'])
})

test('entries from an earlier run count', async () => {
  const inner = new MemoryDatastore()
  for (const name of ['/x/a', '/x/b']) await inner.put(new Key(name), value)
  const store = await BoundedDatastore.open(inner, { '/x/': 2 })
  await store.put(new Key('/x/c'), value)
  expect(await keysOf(store)).toEqual(['/x/b', '/x/c'])
})

test('an entry keeps only its own bytes in memory, and not the pool of Node in which a library allocated them', async () => {
  const inner = new MemoryDatastore()
  const store = await BoundedDatastore.open(inner, {})
  const pooled = Buffer.from(value)
  expect(pooled.buffer.byteLength).toBeGreaterThan(value.byteLength)
  await store.put(new Key('/x/a'), pooled)
  const kept = await inner.get(new Key('/x/a'))
  expect(kept).toEqual(value)
  expect(kept.buffer.byteLength).toBe(value.byteLength)
})
