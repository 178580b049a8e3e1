/** Keys of the DHT under which a value of one peer is stored: a namespace and the peer id. */
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'

import { PotluckError } from '../errors.ts'

export function peerKey(namespace: string, peerId: PeerId): Uint8Array {
  return new TextEncoder().encode(`/${namespace}/${peerId.toString()}`)
}

/** @throws PotluckError `protocol_violation` if the key has another namespace, or no peer id */
export function peerOfKey(namespace: string, key: Uint8Array): PeerId {
  const [, found, peer, ...rest] = new TextDecoder().decode(key).split('/')
  if (found === namespace && peer !== undefined && rest.length === 0) {
    try {
      return peerIdFromString(peer)
    } catch (cause) {
      throw new PotluckError('protocol_violation', 'invalid key: not a peer id', { cause })
    }
  }
  throw new PotluckError('protocol_violation', `invalid key: must be /${namespace}/ and a peer id`)
}
