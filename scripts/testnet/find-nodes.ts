import { createClient, type Client, type ClientOptions, type KnownNode } from '@potluck/client'
import type { Fleet } from './fleet.ts'

/** On a busy machine a lookup can time out. A client waits a minute between lookups, so a new client tries again. */
const LOOKUPS = 3

/**
 * Starts a client that knows only the relay's address, and waits until it has found all nodes.
 *
 * @throws Error if the client does not find every node
 */
export async function clientOf(
  { relay, nodes }: Fleet,
  { signal, ...options }: Pick<ClientOptions, 'reputation' | 'auditor'> & { signal: AbortSignal }
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
 * Looks up the nodes through the DHT. Call it only after every node has advertised itself. A node that the lookup does
 * not find is then an error and not just late.
 *
 * @throws Error if the lookup finds fewer than `count` nodes
 */
export async function findNodes(client: Client, count: number, signal: AbortSignal): Promise<KnownNode[]> {
  const found: KnownNode[] = []
  for await (const node of client.nodes({ signal })) found.push(node)
  if (found.length < count) throw new Error(`The lookup found ${found.length} of ${count} nodes in the DHT.`)
  return found
}
