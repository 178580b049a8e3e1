/** A browser reaches nodes over WebSockets, directly or through a relay. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'

import type { Platform } from './platform.ts'

export const browserPlatform: Platform = {
  transports: [webSockets(), circuitRelayTransport()]
}
