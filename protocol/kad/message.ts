/**
 * The requests that Potluck sends to DHT servers itself, and their replies. `@libp2p/kad-dht` serves the same messages,
 * but it reads a reply without a bound: one reply with 20,000 providers cost its reader 28 s of processor time.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

import { KAD_K, MAX_KAD_ADDRESS_BYTES, MAX_KAD_ADDRESSES, PROVIDER_SAMPLE } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { KadMessageSchema, KadPeerInfoSchema } from '../messages/kad_pb.ts'
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

const { closer: CLOSER, providers: PROVIDERS } = KadMessageSchema.field
const { id: ID, multiaddrs: MULTIADDRS } = KadPeerInfoSchema.field
/** A peer id of an RSA key has 34 bytes, one of an Ed25519 key 38. */
const MAX_ID_BYTES = 64

/**
 * Reads a reply. Drops invalid peers and surplus peers, because a server of another implementation can return more.
 * Decodes only the peers that it returns: 260,000 empty peers fit into a reply, and take a second to decode.
 *
 * @param random uniform in [0, 1); chooses among surplus providers, so that no peer can place itself first
 * @throws PotluckError `protocol_violation` if the bytes are not a message
 */
export function decodeKadReply(bytes: Uint8Array, random: () => number = Math.random): KadReply {
  const closer: Uint8Array[] = []
  const providers: Uint8Array[] = []
  let seen = 0
  try {
    scan(bytes, (field, start, end) => {
      if (field === CLOSER.number && closer.length < KAD_K) closer.push(bytes.subarray(start, end))
      if (field !== PROVIDERS.number) return
      // Vitter's algorithm R: after n providers, each of them has the same chance to be among those kept.
      const place = seen < PROVIDER_SAMPLE ? seen : Math.floor(random() * (seen + 1))
      if (place < PROVIDER_SAMPLE) providers[place] = bytes.subarray(start, end)
      seen++
    })
  } catch (cause) {
    throw new PotluckError('protocol_violation', 'invalid reply of a DHT server: cannot be decoded', { cause })
  }
  return {
    closer: closer.flatMap(parsePeer),
    providers: sample(providers, PROVIDER_SAMPLE, random).flatMap(parsePeer)
  }
}

/** Copies what it returns, so that a peer does not keep the whole reply in memory. */
function parsePeer(bytes: Uint8Array): KadPeer[] {
  let id = new Uint8Array()
  const addresses: Uint8Array[] = []
  try {
    scan(bytes, (field, start, end) => {
      if (field === ID.number && end - start <= MAX_ID_BYTES) id = bytes.slice(start, end)
      if (field === MULTIADDRS.number && end - start <= MAX_KAD_ADDRESS_BYTES && addresses.length < MAX_KAD_ADDRESSES) {
        addresses.push(bytes.slice(start, end))
      }
    })
    return [{ peerId: peerIdFromMultihash(Digest.decode(id)), addresses: addresses.flatMap(parseAddress) }]
  } catch {
    return []
  }
}

/**
 * Calls `onValue` with each length-delimited field of a message, and the range of its value.
 *
 * @throws Error if the bytes are not a message
 */
function scan(message: Uint8Array, onValue: (field: number, start: number, end: number) => void): void {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (type === WireType.LengthDelimited) {
      const length = reader.uint32()
      const start = reader.pos
      reader.pos += length
      if (reader.pos > reader.len) throw new Error('the message ends inside a field')
      onValue(field, start, reader.pos)
    } else {
      reader.skip(type, field)
    }
  }
}

function parseAddress(bytes: Uint8Array): Multiaddr[] {
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}

function encode(message: Parameters<typeof create<typeof KadMessageSchema>>[1]): Uint8Array {
  return toBinary(KadMessageSchema, create(KadMessageSchema, message))
}
