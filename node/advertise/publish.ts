/** Publishes a card on the DHT, and names the topics under which a node publishes provider records. */
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { cardKey, KAD_K, kadId, type Card, type Topic } from '@potluck/protocol'
import { xor } from 'uint8arrays/xor'
import { xorCompare } from 'uint8arrays/xor-compare'

export type Dht = Pick<KadDHT, 'put'>

/** Returns the topics under which clients look for a node with these models. */
export function topicsOf(models: Card['models']): Topic[] {
  if (models.length === 0) return []
  return [
    { kind: 'nodes' },
    ...models.flatMap(({ digest, name }): Topic[] => [
      { kind: 'digest', digest },
      { kind: 'name', name }
    ])
  ]
}

/**
 * Returns the peers that stored the card.
 *
 * @param bytes must be a valid card, because `put` does not report an invalid one
 */
export async function putCard(dht: Dht, { peerId }: Card, bytes: Uint8Array, signal: AbortSignal): Promise<PeerId[]> {
  // A peer confirms by returning the record that it stored.
  const stored = (event: QueryEvent): boolean =>
    event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record?.value.length === bytes.length
  const storers: PeerId[] = []
  for await (const event of dht.put(cardKey(peerId), bytes, { signal })) {
    if (stored(event) && 'from' in event) storers.push(event.from)
  }
  return storers
}

/** Stores a value at one server. Rejects unless the server confirms. */
export type PutAt = (server: PeerId, key: Uint8Array, value: Uint8Array, signal: AbortSignal) => Promise<void>

/** Stores the card at these servers, without a walk. Returns those that confirm. */
export async function putCardAt(
  putAt: PutAt,
  servers: readonly PeerId[],
  { peerId }: Card,
  bytes: Uint8Array,
  signal: AbortSignal
): Promise<PeerId[]> {
  const puts = servers.map(async (server) => await putAt(server, cardKey(peerId), bytes, signal))
  const results = await Promise.allSettled(puts)
  return servers.filter((_, index) => results[index]?.status === 'fulfilled')
}

/** Whether a server that the node just met belongs to the servers that store its card. */
export function belongsToCard(card: Card, storers: readonly PeerId[], server: PeerId): boolean {
  const key = sha256(cardKey(card.peerId))
  const distance = (peer: PeerId): Uint8Array => xor(kadId(peer), key)
  return storers.length < KAD_K || storers.some((storer) => xorCompare(distance(server), distance(storer)) <= 0)
}
