/** The addresses on which a node and a relay listen if the owner names none: TCP and WebSocket, on IPv4 and IPv6. */
import { once } from 'node:events'
import { createServer } from 'node:net'

import type { Logger } from 'pino'

/** Any free ports. Other peers get them from the card, and one machine can run several nodes. */
export const NODE_PORTS: Ports = { tcp: 0, ws: 0 }
/** Fixed ports, because other peers save the address of a relay. 4001 is the usual port of libp2p. */
export const RELAY_PORTS: Ports = { tcp: 4001, ws: 4002 }

interface Ports {
  tcp: number
  ws: number
}

/**
 * Returns the default addresses. Leaves out those of IPv6 if this machine cannot listen on them, because it has no IPv6
 * or another program uses a port: peers can still use IPv4.
 *
 * @param canListen whether this machine can listen on a port of IPv6
 */
export async function defaultListen(
  { tcp, ws }: Ports,
  logger: Pick<Logger, 'info'>,
  canListen: (port: number) => Promise<boolean> = canListenOnIpv6
): Promise<string[]> {
  const onAll = (address: string): string[] => [`${address}/tcp/${tcp}`, `${address}/tcp/${ws}/ws`]
  const free = await Promise.all([tcp, ws].map(async (port) => await canListen(port)))
  if (!free.every(Boolean)) logger.info({ ports: [tcp, ws] }, 'cannot listen on IPv6, so only IPv4 is used')
  return [...onAll('/ip4/0.0.0.0'), ...(free.every(Boolean) ? onAll('/ip6/::') : [])]
}

async function canListenOnIpv6(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ host: '::', port, ipv6Only: true })
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
