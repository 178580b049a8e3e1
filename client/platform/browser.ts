/** A browser reaches nodes over WebSockets, directly or through a relay. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'

import type { Platform } from './platform.ts'

export const browserPlatform: Platform = {
  // A browser does not say what a name resolves to. It asks the user before a page reaches the LAN.
  transports: () => [webSockets(), circuitRelayTransport()]
}
