/**
 * `@libp2p/kad-dht` with bounded replies. The library reads replies of up to 4 MiB, and uses every peer that a reply
 * lists: it parses all addresses, adds the peer to the peer store, tries the routing table, and checks whether the peer
 * could be dialled. A reply with 5,000 invented peers, which a hostile server can send to every query, delayed a client
 * by 10 s and took 1 GiB.
 *
 * The library also walks to random keys every five minutes, in clients too. Nothing here does that: servers refresh
 * their routing tables in another way (`node/dht/table-refresh.ts`), and clients need no table.
 *
 * The library has no option for this, so this file replaces private parts of its pinned version.
 */
import type { Stream } from '@libp2p/interface'
import { kadDHT, type KadDHT, type KadDHTComponents, type KadDHTInit } from '@libp2p/kad-dht'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'

import { KAD_REQUEST_TIMEOUT_MS, MAX_KAD_REPLY_BYTES } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { FrameStream } from '../transport/frame-stream.ts'
import { decodeKadReplyMessage, encodeKadMessage, type KadMessage } from './message.ts'

/** The private parts of the library that this file uses. */
interface KadNetwork {
  _writeReadMessage: (stream: Stream, message: Partial<KadMessage>, options: Options) => Promise<KadMessage>
  safeDispatchEvent: (type: string, event: { detail: unknown }) => boolean
}

interface KadParts {
  network: Partial<KadNetwork>
  routingTableRefresh: { refreshTable: () => void }
}

interface Options {
  signal?: AbortSignal
}

/**
 * As `kadDHT`, but each reply counts for at most `KAD_K` closer peers and `PROVIDER_SAMPLE` providers, and nothing
 * refreshes the routing table.
 */
export function boundedKadDht(init: KadDHTInit): (components: KadDHTComponents) => KadDHT {
  const create = kadDHT(init)
  return (components) => {
    const dht = create(components) as KadDHT
    const { network = {}, routingTableRefresh } = dht as unknown as Partial<KadParts>
    boundReplies(network)
    if (typeof routingTableRefresh?.refreshTable !== 'function') {
      throw new Error(
        'cannot end the table refresh of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
      )
    }
    routingTableRefresh.refreshTable = () => undefined
    return dht
  }
}

function boundReplies(network: Partial<KadNetwork>): void {
  const { _writeReadMessage: replaced, safeDispatchEvent: dispatch } = network
  if (replaced === undefined || dispatch === undefined) {
    throw new Error(
      'cannot bound the replies of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
    )
  }
  network._writeReadMessage = async (stream, message, { signal }) => {
    const wait = { timeoutMs: KAD_REQUEST_TIMEOUT_MS, timeoutCode: 'admission_timeout', signal } as const
    const frames = new FrameStream(stream, { maxFrameBytes: MAX_KAD_REPLY_BYTES })
    await frames.send(encodeKadMessage(message), wait)
    const bytes = await frames.receive(wait)
    if (bytes === undefined) throw new PotluckError('stream_cut', 'the DHT server sent no reply')
    const reply = decodeKadReplyMessage(bytes)
    // The library learns of peers by this event.
    for (const { id, multiaddrs } of [...reply.closer, ...reply.providers]) {
      const detail = { id: peerIdFromMultihash(Digest.decode(id)), multiaddrs: multiaddrs.map((one) => multiaddr(one)) }
      dispatch.call(network, 'peer', { detail })
    }
    return reply
  }
}
