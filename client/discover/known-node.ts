/** What the client knows of a node: its signed card, and its load at one moment. */
import type { Card, Load } from '@potluck/protocol'

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
  /** When the node sent this card, milliseconds since the epoch. */
  seenAt: number
}

/** Returns the addresses at which the client can dial the node of a card. */
export function dialable(card: Card): Dialable {
  return { peerId: card.peerId, addresses: parseAddresses(card.addresses) }
}
