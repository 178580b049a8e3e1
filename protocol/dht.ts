/**
 * Where things stand on the Kademlia DHT, and what its peers have to check.
 *
 * Provider records say who may hold a model; they are unsigned hints that outlive their node. Cards
 * are values under a namespace of our own, so every storing peer has to know their validator: that
 * is why the DHT runs under its own protocol id.
 */
import { passthroughMapper, removePrivateAddressesMapper, type KadDHTInit, type ValidateFn } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createMultihash } from 'multiformats/hashes/digest'

import { cardSequence, openCard } from './card.ts'
import { CARD_NAMESPACE, KAD_PROTOCOL, MAX_REMEMBERED_CARDS } from './constants.ts'
import { PotluckError } from './errors.ts'

const SHA2_256 = 0x12

/** The provider key of a model: the CID of the file itself, for its identity is its SHA-256. */
export function modelCid(digest: Uint8Array): CID {
  return CID.createV1(raw.code, createMultihash(SHA2_256, digest))
}

/** The provider key of a model's name. */
export function nameCid(name: string): CID {
  return modelCid(sha256(new TextEncoder().encode(`/potluck/name/${name.toLowerCase()}`)))
}

/** The provider key under which every serving node stands. */
export function anyNodeCid(): CID {
  return modelCid(sha256(new TextEncoder().encode('/potluck/node')))
}

/** The DHT key of a node's card. */
export function cardKey(peerId: PeerId): Uint8Array {
  return new TextEncoder().encode(`/${CARD_NAMESPACE}/${peerId.toString()}`)
}

/**
 * `local`: loopback, a LAN or a testnet; private addresses are kept and every peer serves the DHT.
 * `public`: private addresses are dropped, and a peer serves the DHT once it has a public address.
 */
export type Scope = 'local' | 'public'

export interface KadSettings {
  scope: Scope
  /** Only asks, stores nothing. Default: false in scope `local`, else up to the DHT. */
  clientMode?: boolean
}

/** Options for `kadDHT` that all peers of the network have to share. */
export function kadOptions({ scope, clientMode }: KadSettings): KadDHTInit {
  const mode = clientMode ?? (scope === 'local' ? false : undefined)
  return {
    protocol: KAD_PROTOCOL,
    peerInfoMapper: scope === 'local' ? passthroughMapper : removePrivateAddressesMapper,
    validators: { [CARD_NAMESPACE]: createCardValidator() },
    selectors: { [CARD_NAMESPACE]: selectCard },
    ...(mode === undefined ? {} : { clientMode: mode })
  }
}

/**
 * Refuses cards that are malformed, forged, expired, filed under another peer, or older than one
 * seen before: an old card that is still valid would otherwise bring a withdrawn node back.
 */
export function createCardValidator(now: () => number = Date.now): ValidateFn {
  const newest = new Map<string, number>()
  return async (key, value) => {
    const peerId = parseCardKey(key)
    const card = await openCard(value, { now: now(), peerId })
    const name = peerId.toString()
    if (card.sequence < (newest.get(name) ?? 0)) {
      throw new PotluckError('protocol_violation', 'invalid card: older than the one seen before', { peer: name })
    }
    newest.delete(name)
    newest.set(name, card.sequence)
    const oldest = newest.keys().next()
    if (newest.size > MAX_REMEMBERED_CARDS && !oldest.done) newest.delete(oldest.value)
  }
}

function parseCardKey(key: Uint8Array): PeerId {
  const [, namespace, peer, ...rest] = new TextDecoder().decode(key).split('/')
  if (namespace === CARD_NAMESPACE && peer !== undefined && rest.length === 0) {
    try {
      return peerIdFromString(peer)
    } catch (cause) {
      throw new PotluckError('protocol_violation', 'invalid card key: not a peer id', { cause })
    }
  }
  throw new PotluckError('protocol_violation', 'invalid card key')
}

/** Index of the card with the highest sequence. */
async function selectCard(_key: Uint8Array, records: Uint8Array[]): Promise<number> {
  const sequences = await Promise.all(records.map(async (record) => await cardSequence(record).catch(() => -1)))
  return sequences.indexOf(Math.max(...sequences))
}
