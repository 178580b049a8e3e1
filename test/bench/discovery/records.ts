/** Publishes provider records, each from its own key and over its own connection, as their nodes would do. */
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { addProvider, type KadPeer } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'

/** Publishers at the same time. */
const PARALLEL = 8

const ATTEMPTS = 5

/** Why nobody answers at the address of a record. */
export type DeadKind = 'refusing' | 'swallowing' | 'expired'
export const DEAD_KINDS: readonly DeadKind[] = ['refusing', 'swallowing', 'expired']

export interface DeadAddresses {
  /** The address of a record. */
  of: (kind: DeadKind) => string
  close: () => void
}

/** @param relay an address of a relay on which no publisher has a reservation */
export async function deadAddresses(relay: string): Promise<DeadAddresses> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const addresses: Record<DeadKind, string> = {
    // Port 1 is closed on every usual machine.
    refusing: '/ip4/127.0.0.1/tcp/1',
    swallowing: `/ip4/127.0.0.1/tcp/${port}`,
    expired: `${relay}/p2p-circuit`
  }
  return {
    of: (kind) => addresses[kind],
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}

export interface Publication {
  key: CID
  /** The address of the records. */
  address: string
  count: number
  /** Addresses of the storers, with `/p2p/…`. */
  storers: readonly string[]
  signal: AbortSignal
}

/** Publishes `count` records at all storers. */
export async function publish({ key, address, count, storers, signal }: Publication): Promise<void> {
  const servers = storers.map(toServer)
  let left = count
  const publishNext = async (): Promise<void> => {
    while (left-- > 0) await publishOne({ key, address }, servers, signal)
  }
  await Promise.all(Array.from({ length: PARALLEL }, publishNext))
}

async function publishOne(
  { key, address }: Pick<Publication, 'key' | 'address'>,
  servers: readonly KadPeer[],
  signal: AbortSignal
): Promise<void> {
  const publisher = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })
  try {
    const provider = { peerId: publisher.peerId, addresses: [multiaddr(address)] }
    for (const server of servers) {
      await again(async () => await addProvider(publisher, server, { key, provider }, signal), signal)
    }
  } finally {
    await publisher.stop()
  }
}

/** A storer without a free core accepts a connection late. */
async function again(use: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await use()
    } catch (error) {
      if (attempt === ATTEMPTS || signal.aborted) throw error
    }
  }
}

function toServer(address: string): KadPeer {
  const peer = address.slice(address.lastIndexOf('/p2p/') + '/p2p/'.length)
  return { peerId: peerIdFromString(peer), addresses: [multiaddr(address)] }
}
