/** What `serve` and `relay` have in common: where they listen, whom they tell, and the lines that say so. */
import { isPrivate } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Scope } from '@potluck/protocol'

import { listensInPublic } from '../network/own-addresses.ts'
import { EXIT_USAGE, Failure } from './failure.ts'
import type { Settings } from './settings/table.ts'

export interface Reach {
  listen: readonly string[]
  announce: readonly string[]
  bootstrap: readonly string[]
  scope: Scope
  mdns: boolean
}

/**
 * @param isOpen who starts this says that its interfaces can be reached from wherever they are
 * @throws Failure for an address that is none
 */
export function reachOf(settings: Settings, defaultListen: readonly string[], isOpen: boolean): Reach {
  const { announce, bootstrap, mdns = true } = settings
  const listen = settings.listen.length > 0 ? settings.listen : defaultListen
  for (const address of listen) parse(address)
  const told = [...announce, ...bootstrap].map(parse)
  const isPublic =
    told.some((address) => !isPrivate(address)) || (isOpen && told.length === 0 && listensInPublic(listen))
  const scope = settings.scope ?? (isPublic ? 'public' : 'local')
  return { listen, announce, bootstrap, scope, mdns }
}

function parse(address: string): ReturnType<typeof multiaddr> {
  try {
    return multiaddr(address)
  } catch (cause) {
    throw new Failure(`"${address}" is no multiaddr; expected one like /ip4/203.0.113.7/tcp/4001`, {
      exitCode: EXIT_USAGE,
      cause
    })
  }
}

/** The address that most others can use: public, then on the LAN, then this machine's own. */
export function bestAddress(addresses: readonly string[]): string | undefined {
  const rank = (address: string): number => {
    if (address.includes('/p2p-circuit')) return 2
    if (!isPrivate(multiaddr(address))) return 0
    return /^\/(ip4\/127\.|ip6\/::1\/)/.test(address) ? 3 : 1
  }
  const preferTcp = (address: string): number => (address.includes('/ws') ? 1 : 0)
  return addresses.toSorted((a, b) => rank(a) - rank(b) || preferTcp(a) - preferTcp(b))[0]
}

/** Resolves when the signal fires. */
export async function until(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
