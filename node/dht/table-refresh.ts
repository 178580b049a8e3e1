/**
 * Keeps the routing table fresh with few messages, in place of `@libp2p/kad-dht`, which walks to random keys and to its
 * own id again and again. A walk asks some 40 servers, most of them over new connections.
 *
 * Peers that connect enter the table by themselves, and they reach the buckets that stand for a large part of the
 * network. New neighbours look for their own neighbours when they start, and so connect too. For each bucket between, a
 * server asks one peer for others, and adds some of them.
 */
import { createHash } from 'node:crypto'

import { kadId, kadTarget, neighboursCid, sample, type KadPeer } from '@potluck/protocol'
import type { PeerId } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

import { ADDED_PER_BUCKET, ASKED_PER_BUCKET, MAX_REFRESHED_LEVEL, REFRESHED_FROM_LEVEL } from './limits.ts'

/** What a refresh needs of the DHT. */
export interface RefreshedTable {
  self: PeerId
  /** The peers of the table that are closest to an id, nearest first. */
  closest: (id: Uint8Array, count: number) => readonly KadPeer[]
  has: (peer: PeerId) => boolean
  /** This server's neighbours that are not connected and showed no sign of life for `UNSEEN_MS`. */
  unseen: () => readonly KadPeer[]
  /** Asks a peer for the servers that it knows near a key. */
  ask: (peer: KadPeer, key: CID, signal: AbortSignal) => Promise<readonly KadPeer[]>
  /** Connects to a peer, which then enters the table. */
  connect: (peer: KadPeer, signal: AbortSignal) => Promise<unknown>
  remove: (peer: PeerId) => void
  /** Uniform in [0, 1). */
  random: () => number
}

/** Checks the neighbours, and then refreshes one bucket after the other, up to the first empty one. */
export async function refreshTable(table: RefreshedTable, signal: AbortSignal): Promise<void> {
  const { self, unseen, connect, remove, closest, random } = table
  const own = kadId(self)
  for (const peer of unseen()) {
    await connect(peer, signal).catch(() => remove(peer.peerId))
    if (signal.aborted) return
  }
  await addPeersNear(table, neighboursCid(self), closest(own, ASKED_PER_BUCKET), signal)
  for (let level = REFRESHED_FROM_LEVEL; level <= MAX_REFRESHED_LEVEL && !signal.aborted; level++) {
    const key = keyInBucket(own, level, random)
    const inBucket = ({ peerId }: KadPeer): boolean => sharedBits(own, kadId(peerId)) === level
    const near = closest(kadTarget(key), ASKED_PER_BUCKET).filter(inBucket)
    if (near.length === 0) return
    await addPeersNear(table, key, near, signal)
  }
}

/** Asks one of these peers for others, and connects to some that the table lacks. */
async function addPeersNear(
  { self, has, ask, connect, random }: RefreshedTable,
  key: CID,
  asked: readonly KadPeer[],
  signal: AbortSignal
): Promise<void> {
  for (const peer of asked) {
    const named = await ask(peer, key, signal).catch(() => undefined)
    if (named === undefined) continue
    const fresh = named.filter(({ peerId }) => !peerId.equals(self) && !has(peerId))
    for (const one of sample(fresh, ADDED_PER_BUCKET, random)) await connect(one, signal).catch(() => undefined)
    return
  }
}

/**
 * Returns a random key that shares exactly this many bits with an id. Hashes some thousand times for the last buckets.
 */
function keyInBucket(id: Uint8Array, level: number, random: () => number): CID {
  const bytes = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256))
  const view = new DataView(bytes.buffer)
  for (let count = 0; ; count++) {
    view.setUint32(0, count)
    const digest = Digest.create(SHA2_256, bytes)
    const target = createHash('sha256').update(digest.bytes).digest()
    if (sharedBits(id, target) === level) return CID.createV1(RAW, digest)
  }
}

/** The number of bits that two ids share at their beginning. */
function sharedBits(a: Uint8Array, b: Uint8Array): number {
  const index = a.findIndex((byte, at) => byte !== b[at])
  return index === -1 ? a.length * 8 : index * 8 + Math.clz32(a[index]! ^ b[index]!) - 24
}

/** The multicodecs of raw bytes and of SHA-256. */
const RAW = 0x55
const SHA2_256 = 0x12
