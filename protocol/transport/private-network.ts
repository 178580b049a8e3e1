/**
 * A private network: only peers that hold the same swarm key can open a connection to each other. The key encrypts each
 * connection below Noise. IPFS uses the same files and the same encryption:
 * https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md
 */
import type { ConnectionProtector } from '@libp2p/interface'
import { preSharedKey, type ProtectorComponents } from '@libp2p/pnet'
import { sha256 } from '@noble/hashes/sha2.js'
import { fromString } from 'uint8arrays/from-string'
import { toString } from 'uint8arrays/to-string'

import { PotluckError } from '../errors.ts'

export const SWARM_KEY_BYTES = 32
/** A peer of another network never completes the exchange of nonces. Longer than the library's 1 s, for slow relays. */
const NONCE_TIMEOUT_MS = 5_000
/** Bytes of a hash of the key in the name of the service. Such a name has at most 15 characters. */
const NAME_BYTES = 4

export interface PrivateNetwork {
  /** For libp2p's `connectionProtector`. */
  protector: (components: ProtectorComponents) => ConnectionProtector
  /** The service in multicast DNS. Each network has its own, so peers of different networks do not dial each other. */
  serviceTag: string
}

/**
 * @param swarmKey the text of a key file
 * @throws PotluckError `invalid_request` if it has another format
 */
export function privateNetwork(swarmKey: string): PrivateNetwork {
  const key = parseSwarmKey(swarmKey)
  const name = toString(sha256(fromString(`potluck pool ${toString(key, 'hex')}`)).subarray(0, NAME_BYTES), 'hex')
  return {
    protector: preSharedKey({ psk: fromString(formatSwarmKey(key)), timeout: NONCE_TIMEOUT_MS }),
    serviceTag: `_p2p-${name}._udp.local`
  }
}

/** Returns the text of a key file. */
export function formatSwarmKey(key: Uint8Array): string {
  return `/key/swarm/psk/1.0.0/\n/base16/\n${toString(key, 'hex')}\n`
}

/** @throws PotluckError `invalid_request` */
export function parseSwarmKey(text: string): Uint8Array {
  const [, digits] = /^\/key\/swarm\/psk\/1\.0\.0\/\r?\n\/base16\/\r?\n([\da-f]{64})\s*$/i.exec(text) ?? []
  if (digits !== undefined) return fromString(digits.toLowerCase(), 'hex')
  throw new PotluckError(
    'invalid_request',
    'the swarm key is malformed; expected the lines /key/swarm/psk/1.0.0/ and /base16/, and then 64 hexadecimal digits'
  )
}
