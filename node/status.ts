/** What the node tells its owner, put together from its parts. */
import { isPrivate } from '@libp2p/utils'
import { formatDigest, type Card } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'

import type { StatusCard } from './metrics/control.ts'

/**
 * Who can reach these addresses, in plain words. A relay's own address is public and says nothing
 * of the node behind it, so relayed addresses are told apart first.
 */
export function describeReachability(addresses: readonly string[]): string {
  const relayed = addresses.filter((address) => address.includes('/p2p-circuit'))
  const direct = addresses.filter((address) => !relayed.includes(address))
  if (direct.some((address) => !isPrivate(multiaddr(address)))) return 'directly, at a public address'
  const relays = new Set(relayed.map((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1]))
  if (relays.size > 0) return `through ${relays.size === 1 ? 'a relay' : `${relays.size} relays`}`
  if (direct.length > 0) return 'only from this machine and its local network'
  return 'not at all: the node listens on no address'
}

export function toStatusCard(card: Card): StatusCard {
  const models = card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) }))
  return { ...card, peerId: card.peerId.toString(), models }
}
