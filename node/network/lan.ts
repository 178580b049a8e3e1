/** Connects to the peers that mDNS discovers. libp2p itself only stores their addresses. */
import type { Libp2p, PeerInfo } from '@libp2p/interface'
import type { Logger } from 'pino'

import { ENOUGH_CONNECTIONS } from '../limits/limits.ts'

/** Dials discovered peers while the host has few connections. One device on a LAN can announce thousands of peers. */
export function dialDiscovered(
  host: Pick<Libp2p, 'addEventListener' | 'dial' | 'getConnections'>,
  { logger, signal }: { logger: Logger; signal: AbortSignal }
): void {
  const dial = ({ detail: { id } }: CustomEvent<PeerInfo>): void => {
    if (host.getConnections().length >= ENOUGH_CONNECTIONS) return
    host.dial(id, { signal }).catch((error: unknown) => {
      if (!signal.aborted) logger.debug({ peer: id.toString(), err: error }, 'a discovered peer does not answer')
    })
  }
  host.addEventListener('peer:discovery', dial)
}
