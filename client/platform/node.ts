/** Node has two things that a browser lacks: TCP, and discovery of nodes on the LAN. */
import { lookup } from 'node:dns'

import { mdns } from '@libp2p/mdns'
import { tcp, type TCPSocketOptions } from '@libp2p/tcp'
import { publicLookup } from '@potluck/protocol'

import { browserPlatform } from './browser.ts'
import type { Platform } from './platform.ts'

export const nodePlatform: Platform = {
  transports: (names) => {
    // libp2p passes the options on to `net.connect`, but its type lists only some of them.
    const dialOpts = (names === undefined ? {} : { lookup: publicLookup(lookup, names) }) as TCPSocketOptions
    return [tcp({ dialOpts }), ...browserPlatform.transports(names)]
  },
  lookup,
  lanDiscovery: mdns()
}
