/** Node has two things that a browser lacks: TCP, and discovery of nodes on the LAN. */
import { mdns } from '@libp2p/mdns'
import { tcp } from '@libp2p/tcp'

import { browserPlatform } from './browser.ts'
import type { Platform } from './platform.ts'

export const nodePlatform: Platform = {
  transports: [tcp(), ...browserPlatform.transports],
  lanDiscovery: mdns()
}
