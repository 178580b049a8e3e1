/** Meets the peers that mDNS discovers: libp2p only notes their addresses. */
import type { Libp2p, PeerInfo } from '@libp2p/interface'
import type { Logger } from 'pino'

import { ENOUGH_CONNECTIONS } from '../limits.ts'

/** Dials discovered peers while there are few connections; anything on a LAN can claim to be thousands. */
export function meetDiscovered(
  host: Pick<Libp2p, 'addEventListener' | 'dial' | 'getConnections'>,
  { logger, signal }: { logger: Logger; signal: AbortSignal }
): void {
  const meet = ({ detail: { id } }: CustomEvent<PeerInfo>): void => {
    if (host.getConnections().length >= ENOUGH_CONNECTIONS) return
    host.dial(id, { signal }).catch((error: unknown) => {
      if (!signal.aborted) logger.debug({ peer: id.toString(), err: error }, 'a discovered peer does not answer')
    })
  }
  host.addEventListener('peer:discovery', meet)
}
