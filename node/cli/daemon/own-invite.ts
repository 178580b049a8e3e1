/** The invite that this machine can give: the key of the pool, and addresses at which others can join. */
import { readStatus } from '../../control/client.ts'
import { bestAddresses } from './reach.ts'
import type { Invite } from '../settings/invite.ts'

/** Addresses of this machine's node in an invite. The others are those with which it joined. */
const OWN_ADDRESSES = 2

/**
 * @param pool as it is saved here
 * @param directory data directory of the node that runs in the pool, or does not run
 */
export async function inviteOf(
  { name, key, bootstrap }: Invite,
  directory: string,
  signal: AbortSignal
): Promise<Invite> {
  const own = await readStatus(directory, signal).then(
    ({ addresses }) => bestAddresses(addresses.filter((address) => !address.includes('/ws'))),
    // No node runs.
    () => []
  )
  return { name, key, bootstrap: [...own.slice(0, OWN_ADDRESSES), ...bootstrap] }
}
