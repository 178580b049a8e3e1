/** What the client knows of a node: its signed card, and its load at one moment. */
import type { Multiaddr } from '@multiformats/multiaddr'
import { subnetOf, type Card, type Load } from '@potluck/protocol'

import type { Dialable } from '../network/network.ts'
import { parseAddresses } from '../peers/peer-book.ts'

/** A node, as its last card and load describe it. */
export interface KnownNode {
  card: Card
  load: Load
  /** When the node reported this load, milliseconds since the epoch. */
  loadAt: number
  /** From the open connection to the card: one round trip and little work. Milliseconds. */
  roundTripMs: number
  /** Whether the node sent this card through a relay. Undefined: unknown. */
  relayed?: boolean | undefined
  /** When the node sent this card, milliseconds since the epoch. */
  seenAt: number
  /**
   * The subnet of the address at which the node answered this client: see `seenSubnet`. Undefined: private or unknown.
   */
  subnet?: string | undefined
}

/**
 * The subnet of an address at which a node answered. All names count as one subnet, because the owner of a domain can
 * let a thousand names point to one machine.
 */
export function seenSubnet(address: Multiaddr): string | undefined {
  return address.toString().startsWith('/dns') ? 'names' : subnetOf(address)
}

/** Returns the addresses at which the client can dial the node of a card. */
export function dialable(card: Card): Dialable {
  return { peerId: card.peerId, addresses: parseAddresses(card.addresses) }
}
