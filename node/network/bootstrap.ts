/**
 * Keeps a node connected to its bootstrap peers.
 *
 * libp2p's own bootstrap module dials each address once. With it, a node would stay alone if it starts before its
 * relay, or if the relay restarts with an empty routing table. This module dials each address until the peer answers,
 * with longer and longer pauses. It dials again when the connection is lost, unless the node has enough other
 * connections.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { deadline } from '@potluck/protocol'
import type { Logger } from 'pino'
import { raceEvent } from 'race-event'

import { BOOTSTRAP_RETRY_MS, ENOUGH_CONNECTIONS, IDENTIFY_WAIT_MS } from '../limits/limits.ts'

export type BootstrapHost = Pick<Libp2p, 'dial' | 'hangUp' | 'getConnections' | 'peerStore'> & EventTarget

export interface BootstrapOptions {
  /** Multiaddrs with `/p2p/<peer id>`. */
  addresses: readonly string[]
  logger: Logger
  signal: AbortSignal
}

/** Resolves after the signal fires, when no dial is in progress. */
export async function keepBootstrapped(host: BootstrapHost, options: BootstrapOptions): Promise<void> {
  await Promise.all(options.addresses.map(async (address) => await keepOne(host, address, options)))
}

async function keepOne(host: BootstrapHost, address: string, { logger, signal }: BootstrapOptions): Promise<void> {
  const target = multiaddr(address)
  let waitMs = BOOTSTRAP_RETRY_MS.first
  while (!signal.aborted) {
    try {
      const { remotePeer } = await host.dial(target, { signal })
      await identified(host, remotePeer, signal)
      logger.debug({ bootstrap: address }, 'connected to a bootstrap peer')
      waitMs = BOOTSTRAP_RETRY_MS.first
      await disconnected(host, remotePeer, signal)
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ bootstrap: address, retryMs: waitMs, reason: reasonOf(error) }, 'a bootstrap peer does not answer')
    }
    do {
      // If the signal ends the sleep, the loop's condition ends the loop.
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      waitMs = Math.min(waitMs * 2, BOOTSTRAP_RETRY_MS.last)
    } while (!signal.aborted && host.getConnections().length >= ENOUGH_CONNECTIONS)
  }
}

/** libp2p's message for several failed dials names none of their reasons. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

/**
 * Resolves when the peer's protocols are known. They show whether the peer belongs to the DHT. libp2p asks for them
 * once for each connection. If the answer gets lost on a loaded machine, the connection stays open but has no use.
 *
 * @throws Error if the peer does not report its protocols in time. The connection is closed then
 */
async function identified(host: BootstrapHost, peer: PeerId, signal: AbortSignal): Promise<void> {
  const settled = new AbortController()
  const identify = raceEvent(host, 'peer:identify', deadline(IDENTIFY_WAIT_MS, signal, settled.signal), {
    errorMessage: 'it is connected, but does not report its protocols',
    filter: ({ detail }: CustomEvent<IdentifyResult>) => detail.peerId.equals(peer)
  })
  // Handles the rejection if the protocols are known without the event.
  identify.catch(() => undefined)
  try {
    const known = (await host.peerStore.has(peer)) && (await host.peerStore.get(peer)).protocols.length > 0
    if (!known) await identify
  } catch (error) {
    await host.hangUp(peer)
    throw error
  } finally {
    settled.abort()
  }
}

/**
 * Resolves when the peer's last connection is closed.
 *
 * @throws if the signal fires
 */
async function disconnected(host: BootstrapHost, peer: PeerId, signal: AbortSignal): Promise<void> {
  if (host.getConnections(peer).length === 0) return
  const filter = (event: CustomEvent<PeerId>): boolean => event.detail.equals(peer)
  await raceEvent(host, 'peer:disconnect', signal, { filter })
}
