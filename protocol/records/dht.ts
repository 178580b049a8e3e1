/**
 * The keys of the Kademlia DHT, and the validators that its peers must run.
 *
 * Provider records name the nodes that may serve a model. They are unsigned hints, and a record can outlive its node.
 * Cards and fraud proofs are values, each in its own namespace. Every peer that stores one must validate it. Peers of
 * other DHTs do not have these validators, so Potluck's DHT has its own protocol id.
 */
import { passthroughMapper, removePrivateAddressesMapper, type KadDHTInit, type ValidateFn } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { LRUCache } from 'lru-cache'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createMultihash } from 'multiformats/hashes/digest'

import { cardSequence, openCard } from './card.ts'
import { CARD_NAMESPACE, KAD_PROTOCOL, MAX_REMEMBERED_CARDS, PROOF_NAMESPACE } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { peerKey, peerOfKey } from './peer-key.ts'
import { selectProof, validateProof } from './published-proof.ts'

/** Code of SHA2-256 in the multicodec table. */
const SHA2_256 = 0x12

/** The provider key of a model: the CID of its GGUF file. The model digest is the SHA-256 of this file. */
export function modelCid(digest: Uint8Array): CID {
  return CID.createV1(raw.code, createMultihash(SHA2_256, digest))
}

/** The provider key of a model's name. Names are compared without case. */
export function nameCid(name: string): CID {
  return textCid(`/potluck/name/${name.toLowerCase()}`)
}

/** The provider key that every serving node announces. */
export function anyNodeCid(): CID {
  return textCid('/potluck/node')
}

/** The provider key of a text: the CID of its bytes. */
export function textCid(text: string): CID {
  return modelCid(sha256(new TextEncoder().encode(text)))
}

/** The DHT key of a node's card. */
export function cardKey(peerId: PeerId): Uint8Array {
  return peerKey(CARD_NAMESPACE, peerId)
}

/**
 * - `local`: loopback, a LAN or a testnet. The DHT keeps private addresses. Every peer stores records and answers
 *   queries.
 * - `public`: the DHT drops private addresses. A peer stores records and answers queries once it has a public address.
 */
export type Scope = 'local' | 'public'

/** The sequence of the newest card of each node that a validator accepted, by peer id. A `Map` is one. */
export interface NewestCards {
  get: (peer: string) => number | undefined
  set: (peer: string, sequence: number) => unknown
}

export interface KadSettings {
  scope: Scope
  /**
   * True: the peer only sends queries. False: it also stores records and answers queries. Default: false in scope
   * `local`; in scope `public` libp2p's DHT decides.
   */
  clientMode?: boolean
  /** Default: in memory, for `MAX_REMEMBERED_CARDS` nodes. */
  newestCards?: NewestCards
}

/** Options of `kadDHT` that all peers of the network must share. */
export function kadOptions({ scope, clientMode, newestCards }: KadSettings): KadDHTInit {
  const mode = clientMode ?? (scope === 'local' ? false : undefined)
  return {
    protocol: KAD_PROTOCOL,
    peerInfoMapper: scope === 'local' ? passthroughMapper : removePrivateAddressesMapper,
    validators: {
      [CARD_NAMESPACE]: createCardValidator(Date.now, newestCards),
      [PROOF_NAMESPACE]: validateProof
    },
    selectors: { [CARD_NAMESPACE]: selectCard, [PROOF_NAMESPACE]: selectProof },
    ...(mode === undefined ? {} : { clientMode: mode })
  }
}

/**
 * Returns a validator that refuses a card if it is malformed, forged, expired, stored under another peer's key, or
 * older than a card of the same node that this validator accepted before. Without the last rule, an attacker could
 * replace the newest card of a node by an older card that has not expired.
 */
export function createCardValidator(
  now: () => number = Date.now,
  newest: NewestCards = new LRUCache<string, number>({ max: MAX_REMEMBERED_CARDS })
): ValidateFn {
  return async (key, value) => {
    const peerId = peerOfKey(CARD_NAMESPACE, key)
    const card = await openCard(value, { now: now(), peerId })
    const name = peerId.toString()
    if (card.sequence < (newest.get(name) ?? 0)) {
      throw new PotluckError('protocol_violation', 'invalid card: older than the newest known card of this node', {
        peer: name
      })
    }
    newest.set(name, card.sequence)
  }
}

/** Returns the index of the card with the highest sequence. */
async function selectCard(_key: Uint8Array, records: Uint8Array[]): Promise<number> {
  const sequences = await Promise.all(records.map(async (record) => await cardSequence(record).catch(() => -1)))
  return sequences.indexOf(Math.max(...sequences))
}
