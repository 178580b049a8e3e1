import { createClient, type Client, type ClientOptions, type KnownNode } from '@potluck/client'
import type { Fleet } from './fleet.ts'

/** On a machine with much else to do a lookup may run out of time; the client would look again after a minute. */
const LOOKUPS = 3

/**
 * A client that was told the relay's address and has found all nodes.
 *
 * @throws Error if some stay missing
 */
export async function clientOf(
  { relay, nodes }: Fleet,
  { signal, ...options }: Pick<ClientOptions, 'reputation'> & { signal: AbortSignal }
): Promise<Client> {
  for (let lookup = 1; ; lookup++) {
    const client = await createClient({
      ...options,
      bootstrap: relay.addresses,
      scope: 'local',
      mdns: false,
      signal
    })
    try {
      await findNodes(client, nodes.length, signal)
      return client
    } catch (error) {
      await client.stop()
      if (signal.aborted || lookup === LOOKUPS) throw error
    }
  }
}

/**
 * Every node has advertised itself by now: one that the DHT does not name is a fault, not a delay.
 *
 * @throws Error if one is missing
 */
export async function findNodes(client: Client, count: number, signal: AbortSignal): Promise<KnownNode[]> {
  const found: KnownNode[] = []
  for await (const node of client.nodes({ signal })) found.push(node)
  if (found.length < count) throw new Error(`The DHT led to ${found.length} of ${count} nodes.`)
  return found
}
