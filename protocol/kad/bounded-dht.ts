/**
 * `@libp2p/kad-dht` with bounded replies. The library uses every peer that a reply lists: it adds the peer to the peer
 * store, tries the routing table, and checks whether the peer could be dialled. A reply with 5,000 invented peers, which
 * a hostile server can send to every query, delayed a client by 10 s and took 1 GiB.
 *
 * The library has no option for this, so this file wraps private parts of its pinned version.
 */
import { kadDHT, type KadDHT, type KadDHTComponents, type KadDHTInit } from '@libp2p/kad-dht'

import { KAD_K, PROVIDER_SAMPLE } from '../constants.ts'

interface Reply {
  closer: unknown[]
  providers: unknown[]
}

/** The private parts of the library that this file uses. */
interface KadNetwork {
  _writeReadMessage: (...args: unknown[]) => Promise<Reply>
  safeDispatchEvent: (type: string, detail: unknown) => boolean
}

/** As `kadDHT`, but each reply counts for at most `KAD_K` closer peers and `PROVIDER_SAMPLE` providers. */
export function boundedKadDht(init: KadDHTInit): (components: KadDHTComponents) => KadDHT {
  const create = kadDHT(init)
  return (components) => {
    const dht = create(components) as KadDHT
    boundReplies((dht as unknown as { network?: Partial<KadNetwork> }).network ?? {})
    return dht
  }
}

function boundReplies(network: Partial<KadNetwork>): void {
  const { _writeReadMessage: exchange, safeDispatchEvent: dispatch } = network
  if (exchange === undefined || dispatch === undefined) {
    throw new Error(
      'cannot bound the replies of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
    )
  }
  // The library reports all peers of a reply in one go, before it returns the reply.
  let reported = 0
  network.safeDispatchEvent = (type, detail) => {
    if (reported === 0) queueMicrotask(() => (reported = 0))
    reported++
    return reported <= KAD_K + PROVIDER_SAMPLE && dispatch.call(network, type, detail)
  }
  network._writeReadMessage = async (...args) => {
    const reply = await exchange.apply(network, args)
    reply.closer.splice(KAD_K)
    reply.providers.splice(PROVIDER_SAMPLE)
    return reply
  }
}
