/**
 * An invite to a pool, as one line of text: `potluck:NAME?key=KEY&at=ADDRESS&at=ADDRESS`. KEY is the swarm key in
 * base64url. Anybody with an invite can join the pool. The key does not decrypt what other members send to each other.
 */
import { multiaddr } from '@multiformats/multiaddr'
import { SWARM_KEY_BYTES } from '@potluck/protocol'

import { usageError } from '../terminal/errors.ts'

/** Addresses in an invite. More would make a QR code that a camera cannot read. */
const MAX_ADDRESSES = 4
const MAX_LENGTH = 2_048
const POOL_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

export interface Invite {
  name: string
  key: Uint8Array
  /** Multiaddrs of members, with their peer ids. Empty: a new member finds others only on its local network. */
  bootstrap: readonly string[]
}

export function formatInvite({ name, key, bootstrap }: Invite): string {
  const addresses = bootstrap.slice(0, MAX_ADDRESSES).map((address) => `&at=${address}`)
  return `potluck:${name}?key=${Buffer.from(key).toString('base64url')}${addresses.join('')}`
}

/** @throws CommandError if the text is not a whole invite */
export function parseInvite(text: string): Invite {
  const [, name = '', query = ''] = /^potluck:([^?]*)\?(.*)$/s.exec(text.trim().slice(0, MAX_LENGTH)) ?? []
  const fields = new URLSearchParams(query)
  const key = Buffer.from(fields.get('key') ?? '', 'base64url')
  const bootstrap = fields.getAll('at').slice(0, MAX_ADDRESSES)
  if (!isPoolName(name) || key.length !== SWARM_KEY_BYTES || !bootstrap.every(isPeerAddress)) {
    throw usageError(
      'the invite is not complete; copy the whole line that `potluck pool invite` prints, and put it in quotes'
    )
  }
  return { name, key, bootstrap }
}

/** A name is also the name of a folder. */
export function isPoolName(name: string): boolean {
  return POOL_NAME.test(name)
}

function isPeerAddress(address: string): boolean {
  try {
    return multiaddr(address)
      .getComponents()
      .some((part) => part.name === 'p2p')
  } catch {
    return false
  }
}
