/**
 * The messages of libp2p's Kademlia DHT. `@libp2p/kad-dht` reads them without a bound: one reply with 20,000 providers
 * cost its reader 28 s of processor time. Here, the peers in a message are counted before any of them is decoded.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { concat } from 'uint8arrays/concat'

import { KAD_K, MAX_KAD_ADDRESS_BYTES, MAX_KAD_ADDRESSES, MAX_REQUEST_PEERS, PROVIDER_SAMPLE } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { KadMessageSchema, KadPeerInfoSchema, KadRecordSchema } from '../messages/kad_pb.ts'
import { sample } from '../sample.ts'

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

/** `find_node` asks for closer servers. `get_providers` asks for the provider records of the key too. */
export type KadRequest = 'find_node' | 'get_providers'

/** The message types, as libp2p names and numbers them. */
const TYPES: readonly string[] = ['PUT_VALUE', 'GET_VALUE', 'ADD_PROVIDER', 'GET_PROVIDERS', 'FIND_NODE', 'PING']

/** A message as `@libp2p/kad-dht` handles it. Its ids and addresses are not parsed. */
export interface KadMessage {
  type: string
  key?: Uint8Array
  record?: Uint8Array
  clusterLevel?: number
  closer: KadMessagePeer[]
  providers: KadMessagePeer[]
}

export interface KadMessagePeer {
  id: Uint8Array
  multiaddrs: Uint8Array[]
}

export function encodeKadRequest(request: KadRequest, key: CID): Uint8Array {
  const type = request === 'find_node' ? 'FIND_NODE' : 'GET_PROVIDERS'
  return encodeKadMessage({ type, key: key.multihash.bytes })
}

/** A provider record of the sender. A DHT server sends no reply to it. */
export function encodeAddProvider(key: CID, provider: KadPeer): Uint8Array {
  return encodeKadMessage({ type: 'ADD_PROVIDER', key: key.multihash.bytes, providers: [messagePeer(provider)] })
}

/** A value for one DHT server, which returns the message if it stores the value. */
export function encodePutValue(key: Uint8Array, value: Uint8Array, now: number): Uint8Array {
  const record = create(KadRecordSchema, { key, value, timeReceived: new Date(now).toISOString() })
  return encodeKadMessage({ type: 'PUT_VALUE', key, record: toBinary(KadRecordSchema, record) })
}

/** @throws Error if libp2p has no message of this type */
export function encodeKadMessage({ type, ...fields }: Partial<KadMessage>): Uint8Array {
  const number = TYPES.indexOf(type ?? '')
  if (number < 0) throw new Error(`no message of the DHT has the type ${type}`)
  return toBinary(KadMessageSchema, create(KadMessageSchema, { ...fields, type: number }))
}

const { type: TYPE, key: KEY, record: RECORD, clusterLevel: CLUSTER_LEVEL } = KadMessageSchema.field
const { closer: CLOSER, providers: PROVIDERS } = KadMessageSchema.field
const { id: ID, multiaddrs: MULTIADDRS } = KadPeerInfoSchema.field
/** A peer id of an RSA key has 34 bytes, one of an Ed25519 key 38. */
const MAX_ID_BYTES = 64

/**
 * Reads a request. The caller limits the size of the bytes.
 *
 * @throws PotluckError `protocol_violation` if the bytes are not a request, or if it names more peers than an honest
 *   one
 */
export function decodeKadRequest(bytes: Uint8Array): KadMessage {
  return decoded('request', () => {
    const closer: Uint8Array[] = []
    const providers: Uint8Array[] = []
    const fields = readFields(bytes, (field, peer) => {
      if (closer.length + providers.length >= MAX_REQUEST_PEERS) throw new Error('too many peers')
      ;(field === CLOSER.number ? closer : providers).push(peer)
    })
    return { ...fields, closer: closer.map(readPeer), providers: providers.map(readPeer) }
  })
}

/**
 * Reads a reply. Drops invalid peers and surplus peers, because a server of another implementation can return more.
 * Decodes only the peers that it returns: 260,000 empty peers fit into a reply, and take a second to decode.
 *
 * @param random uniform in [0, 1); chooses among surplus providers, so that no peer can place itself first
 * @throws PotluckError `protocol_violation` if the bytes are not a message
 */
export function decodeKadReply(bytes: Uint8Array, random: () => number = Math.random): KadReply {
  const { closer, providers } = decoded('reply', () => readReply(bytes, random))
  return { closer, providers }
}

/**
 * Reads a reply for `@libp2p/kad-dht`, with the same bounds.
 *
 * @throws as `decodeKadReply`
 */
export function decodeKadReplyMessage(bytes: Uint8Array): KadMessage {
  return decoded('reply', () => {
    const { fields, closer, providers } = readReply(bytes, Math.random)
    return { ...fields, closer: closer.map(messagePeer), providers: providers.map(messagePeer) }
  })
}

function decoded<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new PotluckError('protocol_violation', `invalid ${what} of a DHT peer: cannot be decoded`, { cause })
  }
}

type Fields = Omit<KadMessage, 'closer' | 'providers'>

function readReply(bytes: Uint8Array, random: () => number): KadReply & { fields: Fields } {
  const closer: Uint8Array[] = []
  const providers: Uint8Array[] = []
  let seen = 0
  const fields = readFields(bytes, (field, peer) => {
    if (field === CLOSER.number && closer.length < KAD_K) closer.push(peer)
    if (field !== PROVIDERS.number) return
    // Vitter's algorithm R: after n providers, each of them has the same chance to be among those kept.
    const place = seen < PROVIDER_SAMPLE ? seen : Math.floor(random() * (seen + 1))
    if (place < PROVIDER_SAMPLE) providers[place] = peer
    seen++
  })
  return {
    fields,
    closer: closer.flatMap(parsePeer),
    providers: sample(providers, PROVIDER_SAMPLE, random).flatMap(parsePeer)
  }
}

/** Reads all fields but the peers. Calls `onPeer` with each peer, which is not decoded. */
function readFields(bytes: Uint8Array, onPeer: (field: number, peer: Uint8Array) => void): Fields {
  const encoded = new Map<number, Uint8Array>()
  scan(bytes, (field, begin, start, end) => {
    if (field === CLOSER.number || field === PROVIDERS.number) onPeer(field, bytes.subarray(start, end))
    else if (SCALARS.has(field)) encoded.set(field, bytes.subarray(begin, end))
  })
  const { type, key, record, clusterLevel } = fromBinary(KadMessageSchema, concat([...encoded.values()]))
  const name = TYPES[type]
  if (name === undefined) throw new Error('unknown type')
  return {
    type: name,
    ...(key === undefined ? {} : { key }),
    ...(record === undefined ? {} : { record }),
    ...(clusterLevel === undefined ? {} : { clusterLevel })
  }
}

const SCALARS = new Set([TYPE, KEY, RECORD, CLUSTER_LEVEL].map(({ number }) => number))

/** Copies what it returns, so that a peer does not keep the whole message in memory. */
function readPeer(bytes: Uint8Array): KadMessagePeer {
  const peer: KadMessagePeer = { id: new Uint8Array(), multiaddrs: [] }
  scan(bytes, (field, _, start, end) => {
    const { multiaddrs } = peer
    if (field === ID.number && end - start <= MAX_ID_BYTES) peer.id = bytes.slice(start, end)
    if (field === MULTIADDRS.number && end - start <= MAX_KAD_ADDRESS_BYTES && multiaddrs.length < MAX_KAD_ADDRESSES) {
      multiaddrs.push(bytes.slice(start, end))
    }
  })
  return peer
}

function parsePeer(bytes: Uint8Array): KadPeer[] {
  try {
    const { id, multiaddrs } = readPeer(bytes)
    return [{ peerId: peerIdFromMultihash(Digest.decode(id)), addresses: multiaddrs.flatMap(parseAddress) }]
  } catch {
    return []
  }
}

function messagePeer({ peerId, addresses }: KadPeer): KadMessagePeer {
  return { id: peerId.toMultihash().bytes, multiaddrs: addresses.map(({ bytes }) => bytes) }
}

/**
 * Calls `onField` with each field of a message, the position where the field begins, and the range of its value.
 *
 * @throws Error if the bytes are not a message
 */
function scan(message: Uint8Array, onField: (field: number, begin: number, start: number, end: number) => void): void {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const begin = reader.pos
    const [field, type] = reader.tag()
    let start = reader.pos
    if (type === WireType.LengthDelimited) {
      const length = reader.uint32()
      start = reader.pos
      reader.pos += length
      if (reader.pos > reader.len) throw new Error('the message ends inside a field')
    } else {
      reader.skip(type, field)
    }
    onField(field, begin, start, reader.pos)
  }
}

function parseAddress(bytes: Uint8Array): Multiaddr[] {
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}
