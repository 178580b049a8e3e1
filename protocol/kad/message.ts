/**
 * The requests that Potluck sends to DHT servers itself, and their replies. `@libp2p/kad-dht` serves the same messages,
 * but it reads a reply without a bound: one reply with 20,000 providers cost its reader 28 s of processor time.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

import { KAD_K, MAX_KAD_ADDRESS_BYTES, MAX_KAD_ADDRESSES, PROVIDER_SAMPLE } from '../constants.ts'
import { KadMessageSchema, type KadPeerInfo } from '../messages/kad_pb.ts'
import { sample } from '../sample.ts'
import { FieldCheck } from '../wire/check.ts'

/** A peer, and where it may be reached. */
export interface KadPeer {
  peerId: PeerId
  /** Unverified. Empty: libp2p may know addresses. */
  addresses: readonly Multiaddr[]
}

export interface KadReply {
  /** DHT servers that are closer to the key, at most `KAD_K`. */
  closer: readonly KadPeer[]
  /** Peers that published a provider record for the key: at most `PROVIDER_SAMPLE`, in random order. */
  providers: readonly KadPeer[]
}

const check = new FieldCheck('protocol_violation', 'invalid reply of a DHT server')

/** `find_node` asks for closer servers. `get_providers` asks for the provider records of the key too. */
export type KadRequest = 'find_node' | 'get_providers'

/** Numbers of libp2p's message types. */
const TYPES: Readonly<Record<KadRequest | 'add_provider', number>> = { add_provider: 2, get_providers: 3, find_node: 4 }

export function encodeKadRequest(request: KadRequest, key: CID): Uint8Array {
  return encode({ type: TYPES[request], key: key.multihash.bytes })
}

/** A provider record of the sender. A DHT server sends no reply to it. */
export function encodeAddProvider(key: CID, { peerId, addresses }: KadPeer): Uint8Array {
  const provider = { id: peerId.toMultihash().bytes, multiaddrs: addresses.map(({ bytes }) => bytes) }
  return encode({ type: TYPES.add_provider, key: key.multihash.bytes, providers: [provider] })
}

/**
 * Reads a reply. Drops invalid peers and surplus peers, because a server of another implementation can return more.
 *
 * @param random uniform in [0, 1); chooses among surplus providers, so that no peer can place itself first
 * @throws PotluckError `protocol_violation` if the bytes are not a message
 */
export function decodeKadReply(bytes: Uint8Array, random: () => number = Math.random): KadReply {
  const { closer, providers } = check.decode(KadMessageSchema, bytes, 'reply cannot be decoded')
  return {
    closer: closer.slice(0, KAD_K).flatMap(parsePeer),
    providers: sample(providers, PROVIDER_SAMPLE, random).flatMap(parsePeer)
  }
}

function parsePeer({ id, multiaddrs }: KadPeerInfo): KadPeer[] {
  try {
    const peerId = peerIdFromMultihash(Digest.decode(id))
    return [{ peerId, addresses: multiaddrs.slice(0, MAX_KAD_ADDRESSES).flatMap(parseAddress) }]
  } catch {
    return []
  }
}

function parseAddress(bytes: Uint8Array): Multiaddr[] {
  if (bytes.byteLength > MAX_KAD_ADDRESS_BYTES) return []
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}

function encode(message: Parameters<typeof create<typeof KadMessageSchema>>[1]): Uint8Array {
  return toBinary(KadMessageSchema, create(KadMessageSchema, message))
}
