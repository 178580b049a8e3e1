import type { PeerId } from '@libp2p/interface'
import { CID } from 'multiformats/cid'
import { xor } from 'uint8arrays/xor'
import { xorCompare } from 'uint8arrays/xor-compare'

import { sample } from '../sample.ts'
import { estimateServers } from './depth.ts'
import type { KadPeer, KadReply } from './message.ts'
import { kadId } from './topics.ts'

/** Servers that are asked. The first reply counts. */
const ASKED = 3

/**
 * Estimates the number of DHT servers with one round trip: a server knows its own neighbours best, so their distances
 * show how dense the network is. A server can lie, so the caller must not depend on the estimate.
 *
 * @returns 0 if no server replied
 */
export async function countServers(
  servers: readonly KadPeer[],
  ask: (server: KadPeer, key: CID) => Promise<Pick<KadReply, 'closer'>>,
  random: () => number
): Promise<number> {
  const replies = sample(servers, ASKED, random).map(async (server) => {
    const { closer } = await ask(server, neighboursCid(server.peerId))
    const own = kadId(server.peerId)
    return estimateServers(closer.map(({ peerId }) => xor(kadId(peerId), own)).toSorted(xorCompare))
  })
  return await Promise.any(replies).catch(() => 0)
}

/** The key whose closest peers are the neighbours of this peer. No record is stored under it. */
export function neighboursCid(peerId: PeerId): CID {
  return CID.createV1(RAW, peerId.toMultihash())
}

/** The multicodec of raw bytes. */
const RAW = 0x55
