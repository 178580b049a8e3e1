/** Publishes a card and its provider records on the DHT, and withdraws them. */
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { anyNodeCid, cardKey, modelCid, nameCid, type Card } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

export type Dht = Pick<KadDHT, 'put' | 'provide' | 'cancelReprovide'>

/** Returns the keys under which clients look for a node with these models. */
export function providerKeys(models: Card['models']): CID[] {
  if (models.length === 0) return []
  return [anyNodeCid(), ...models.flatMap(({ digest, name }) => [modelCid(digest), nameCid(name)])]
}

/**
 * Returns how many peers stored the card.
 *
 * @param bytes must be a valid card, because `put` does not report an invalid one
 */
export async function putCard(dht: Dht, { peerId }: Card, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
  // A peer confirms by returning the record that it stored.
  const stored = (event: QueryEvent): boolean =>
    event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record?.value.length === bytes.length
  return await count(dht.put(cardKey(peerId), bytes, { signal }), stored)
}

/** Returns how many peers stored the provider records: the lowest number over all keys. */
export async function provide(dht: Dht, keys: readonly CID[], signal: AbortSignal): Promise<number> {
  const stored = (event: QueryEvent): boolean => event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER'
  return Math.min(...(await Promise.all(keys.map(async (key) => await count(dht.provide(key, { signal }), stored)))))
}

/**
 * Stops renewing the provider records. Other peers keep their copies until these expire. So a client must check the
 * card of a node that it finds through a provider record.
 */
export async function stopProviding(dht: Dht, keys: readonly CID[], signal: AbortSignal): Promise<void> {
  await Promise.all(keys.map(async (key) => await dht.cancelReprovide(key, { signal })))
}

async function count(events: AsyncIterable<QueryEvent>, counts: (event: QueryEvent) => boolean): Promise<number> {
  let counted = 0
  for await (const event of events) if (counts(event)) counted++
  return counted
}
