/**
 * Keeps a node in touch with its bootstrap peers.
 *
 * libp2p's own bootstrap dials each address once: a node that starts before its relay, or whose relay
 * starts anew with an empty routing table, would stay alone. Here they are dialled again, ever more
 * slowly, until one answers, and again when it is lost, unless the DHT holds well without it.
 */
import { deadline } from '@potluck/protocol'
import { setTimeout as sleep } from 'node:timers/promises'

import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Logger } from 'pino'

import { BOOTSTRAP_RETRY_MS, ENOUGH_CONNECTIONS, IDENTIFY_WAIT_MS } from '../limits.ts'

export type BootstrapHost = Pick<
  Libp2p,
  'dial' | 'hangUp' | 'getConnections' | 'peerStore' | 'addEventListener' | 'removeEventListener'
>

export interface BootstrapOptions {
  /** Multiaddrs with `/p2p/<peer id>`. */
  addresses: readonly string[]
  logger: Logger
  signal: AbortSignal
}

/** Resolves when the signal fires, once every address is left in peace. */
export async function keepBootstrapped(host: BootstrapHost, options: BootstrapOptions): Promise<void> {
  await Promise.all(options.addresses.map(async (address) => await keepOne(host, address, options)))
}

async function keepOne(host: BootstrapHost, address: string, { logger, signal }: BootstrapOptions): Promise<void> {
  const target = multiaddr(address)
  let waitMs = BOOTSTRAP_RETRY_MS.first
  while (!signal.aborted) {
    try {
      const { remotePeer } = await host.dial(target, { signal })
      await introduced(host, remotePeer, signal)
      logger.debug({ bootstrap: address }, 'connected to a bootstrap peer')
      waitMs = BOOTSTRAP_RETRY_MS.first
      await lost(host, remotePeer, signal)
    } catch (error) {
      if (signal.aborted) return
      const reason = error instanceof Error ? error.message : String(error)
      logger.warn({ bootstrap: address, retryMs: waitMs, reason }, 'a bootstrap peer does not answer')
    }
    do {
      // The signal ends the sleep; the loop's condition does the rest.
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      waitMs = Math.min(waitMs * 2, BOOTSTRAP_RETRY_MS.last)
    } while (!signal.aborted && host.getConnections().length >= ENOUGH_CONNECTIONS)
  }
}

/**
 * Resolves when it is known what the peer speaks, and so whether it belongs to the DHT. libp2p asks once
 * for each connection: where the answer is lost on a loaded machine, the connection would stay, of no use.
 *
 * @throws if the peer does not say; then the connection is given up
 */
async function introduced(host: BootstrapHost, peer: PeerId, signal: AbortSignal): Promise<void> {
  const heard = Promise.withResolvers<void>()
  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (detail.peerId.equals(peer)) heard.resolve()
  }
  const either = deadline(IDENTIFY_WAIT_MS, signal)
  const onEnd = (): void => heard.reject(new Error('it is connected, but does not say what it speaks'))
  host.addEventListener('peer:identify', onIdentify)
  either.addEventListener('abort', onEnd, { once: true })
  try {
    if (either.aborted) onEnd()
    const known = (await host.peerStore.has(peer)) && (await host.peerStore.get(peer)).protocols.length > 0
    if (!known) await heard.promise
  } catch (error) {
    await host.hangUp(peer)
    throw error
  } finally {
    host.removeEventListener('peer:identify', onIdentify)
    either.removeEventListener('abort', onEnd)
    heard.promise.catch(() => undefined)
  }
}

/** Resolves when the peer's last connection is gone, or the signal fires. */
async function lost(host: BootstrapHost, peer: PeerId, signal: AbortSignal): Promise<void> {
  if (host.getConnections(peer).length === 0) return
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      host.removeEventListener('peer:disconnect', onDisconnect)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const onDisconnect = (event: CustomEvent<PeerId>): void => {
      if (event.detail.equals(peer)) finish()
    }
    host.addEventListener('peer:disconnect', onDisconnect)
    signal.addEventListener('abort', finish, { once: true })
    if (signal.aborted) finish()
  })
}
