/** Callers from chosen addresses of loopback. */
import type { Connection, Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'

import type { PotluckNode } from '../../node/index.ts'
import type { AttackedNetwork } from './network.ts'

/** A peer whose connections come from this address, such as 127.0.2.1. On Linux all of 127.0.0.0/8 is loopback. */
export async function peerAt(network: AttackedNetwork, address: string): Promise<Libp2p> {
  // libp2p passes the options on to `net.connect`, but its type lists only some of them.
  const dialOpts = { localAddress: address } as object
  return await network.peer({
    addresses: { listen: [] },
    transports: [tcp({ dialOpts })],
    // All peers share this process, and a ping can wait behind their handshakes.
    connectionMonitor: { enabled: false }
  })
}

export async function dial(peer: Libp2p, node: PotluckNode): Promise<Connection> {
  return await peer.dial(multiaddr(node.addresses()[0]))
}
