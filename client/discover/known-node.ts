/** What the client knows of a node: its signed card, and its load at one moment. */
import type { PeerId } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import {
  CARD_PROTOCOL,
  deadline,
  decodeCardReply,
  MAX_CARD_REPLY_BYTES,
  openCard,
  PotluckError,
  type Card,
  type Load
} from '@potluck/protocol'

import { CARD_RECORD_TIMEOUT_MS, CARD_TIMEOUT_MS } from '../base/constants.ts'
import { askOnce } from '../network/exchange.ts'
import type { Dialable, Network } from '../network/network.ts'

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

export interface AskCardOptions {
  /** Milliseconds since the epoch. */
  now: () => number
  signal: AbortSignal
}

/**
 * Dials a node and asks for its card. If its addresses fail, tries the addresses of its card on the DHT, because the
 * provider record can be two days older than that card.
 *
 * @throws PotluckError `protocol_violation` for an invalid card, or the code of the phase that failed
 */
export async function askCard(network: Network, node: Dialable, { now, signal }: AskCardOptions): Promise<KnownNode> {
  await connect(network, node, { now, signal })
  const { reply, elapsedMs } = await askOnce(node, {
    network,
    protocol: CARD_PROTOCOL,
    maxFrameBytes: MAX_CARD_REPLY_BYTES,
    dialMs: CARD_TIMEOUT_MS,
    replyMs: CARD_TIMEOUT_MS,
    timeoutCode: 'admission_timeout',
    decode: decodeCardReply,
    signal
  })
  const seenAt = now()
  if (reply.own === undefined) throw new PotluckError('no_providers', 'the peer is a relay and serves no model')
  const card = await openCard(reply.own.card, { now: seenAt, peerId: node.peerId })
  return { card, load: reply.own.load, loadAt: seenAt, roundTripMs: elapsedMs, seenAt }
}

/** Returns the addresses at which the client can dial the node of a card. */
export function dialable(card: Card): Dialable {
  return { peerId: card.peerId, addresses: parseAddresses(card) }
}

async function connect(network: Network, node: Dialable, { now, signal }: AskCardOptions): Promise<void> {
  const dial = async (addresses: readonly Multiaddr[]): Promise<void> => {
    await network.connect({ peerId: node.peerId, addresses }, deadline(CARD_TIMEOUT_MS, signal))
  }
  try {
    await dial(node.addresses)
  } catch (cause) {
    signal.throwIfAborted()
    try {
      const recorded = await recordedAddresses(network, node.peerId, { now, signal })
      const unknown = recorded.filter((address) => !node.addresses.some((known) => known.equals(address)))
      if (unknown.length === 0) throw cause
      await dial(unknown)
    } catch (error) {
      if (error instanceof PotluckError) throw error
      const peer = node.peerId.toString()
      throw new PotluckError('dial_failed', 'the node could not be reached', { cause: error, peer })
    }
  }
}

async function recordedAddresses(
  network: Network,
  peerId: PeerId,
  { now, signal }: AskCardOptions
): Promise<Multiaddr[]> {
  const bytes = await network.cardRecord(peerId, deadline(CARD_RECORD_TIMEOUT_MS, signal))
  return parseAddresses(await openCard(bytes, { now: now(), peerId }))
}

/** Skips addresses that are not multiaddrs. */
function parseAddresses(card: Card): Multiaddr[] {
  return card.addresses.flatMap((address) => {
    try {
      return [multiaddr(address)]
    } catch {
      return []
    }
  })
}
