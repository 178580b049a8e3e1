/** Putting a card and its provider records on the DHT, and taking them back. */
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { anyNodeCid, cardKey, modelCid, nameCid, type Card } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

export type Dht = Pick<KadDHT, 'put' | 'provide' | 'cancelReprovide'>

/** The keys under which others look for a node with these models. */
export function providerKeys(models: Card['models']): CID[] {
  if (models.length === 0) return []
  return [anyNodeCid(), ...models.flatMap(({ digest, name }) => [modelCid(digest), nameCid(name)])]
}

/** Storers that took the card. `bytes` have to be valid: `put` would not say that they are not. */
export async function putCard(dht: Dht, { peerId }: Card, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
  // A storer confirms by giving back what it stored.
  const took = (event: QueryEvent): boolean =>
    event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record?.value.length === bytes.length
  return await count(dht.put(cardKey(peerId), bytes, { signal }), took)
}

/** Storers that took the record for the key that fewest took. */
export async function provide(dht: Dht, keys: readonly CID[], signal: AbortSignal): Promise<number> {
  const took = (event: QueryEvent): boolean => event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER'
  return Math.min(...(await Promise.all(keys.map(async (key) => await count(dht.provide(key, { signal }), took)))))
}

/** No more from us; the copies at others stay until they expire, which is why the card is the truth. */
export async function stopProviding(dht: Dht, keys: readonly CID[], signal: AbortSignal): Promise<void> {
  await Promise.all(keys.map(async (key) => await dht.cancelReprovide(key, { signal })))
}

async function count(events: AsyncIterable<QueryEvent>, counts: (event: QueryEvent) => boolean): Promise<number> {
  let counted = 0
  for await (const event of events) if (counts(event)) counted++
  return counted
}
