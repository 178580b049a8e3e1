/** Asks a node for its card: the truth about it, with its load at this moment. */
import type { Connection, PeerId } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import {
  CARD_PROTOCOL,
  deadline,
  decodeCardReply,
  FrameStream,
  MAX_CARD_BYTES,
  openCard,
  PotluckError,
  type Card,
  type Load
} from '@potluck/protocol'

import { CARD_RECORD_TIMEOUT_MS, CARD_TIMEOUT_MS } from '../constants.ts'
import type { Dialable, Network } from '../network/network.ts'

/** A node as it was seen just now. */
export interface Sighting {
  card: Card
  load: Load
  /** When the load was told, milliseconds since the epoch. */
  loadAt: number
  /** From the request for the card to the card, on an open connection: one round trip, little work. */
  roundTripMs: number
  /** When the card was given, milliseconds since the epoch. */
  seenAt: number
}

/** The envelope and the load beside it. */
const MAX_REPLY_BYTES = MAX_CARD_BYTES + 256

export interface AskCardOptions {
  now: () => number
  signal: AbortSignal
}

/**
 * Dials the node and asks it. Where its addresses lead nowhere, those of its card on the DHT are
 * tried: a provider record may be two days older than the card.
 *
 * @throws PotluckError `protocol_violation` for an invalid card; otherwise libp2p's errors
 */
export async function askCard(network: Network, node: Dialable, { now, signal }: AskCardOptions): Promise<Sighting> {
  const connection = await reach(network, node, { now, signal })
  const timeout = deadline(CARD_TIMEOUT_MS, signal)
  const startedAt = performance.now()
  const stream = await connection.newStream(CARD_PROTOCOL, { signal: timeout, runOnLimitedConnection: true })
  const frames = new FrameStream(stream, { maxFrameBytes: MAX_REPLY_BYTES })
  try {
    const frame = await frames.receive({
      timeoutMs: CARD_TIMEOUT_MS,
      timeoutCode: 'admission_timeout',
      signal: timeout
    })
    if (frame === undefined) throw new PotluckError('stream_cut', 'the node sent no card')
    const roundTripMs = performance.now() - startedAt
    const { card, load } = decodeCardReply(frame)
    const seenAt = now()
    const sighting = {
      card: await openCard(card, { now: seenAt, peerId: node.peerId }),
      load,
      loadAt: seenAt,
      roundTripMs,
      seenAt
    }
    await frames.close()
    return sighting
  } catch (error) {
    frames.abort(new Error('no valid card'))
    throw error
  }
}

async function reach(network: Network, node: Dialable, { now, signal }: AskCardOptions): Promise<Connection> {
  try {
    return await network.connect(node, deadline(CARD_TIMEOUT_MS, signal))
  } catch (dialError) {
    signal.throwIfAborted()
    const addresses = await recordedAddresses(network, node.peerId, { now, signal })
    const unknown = addresses.filter((address) => !node.addresses.some((known) => known.equals(address)))
    if (unknown.length === 0) throw dialError
    return await network.connect({ peerId: node.peerId, addresses: unknown }, deadline(CARD_TIMEOUT_MS, signal))
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

/** A card's addresses; what is no multiaddr is left out. */
export function parseAddresses(card: Card): Multiaddr[] {
  return card.addresses.flatMap((address) => {
    try {
      return [multiaddr(address)]
    } catch {
      return []
    }
  })
}
