import type { Client, NodeView } from '@potluck/client'

/**
 * Every node has advertised itself by now: one that the DHT does not name is a fault, not a delay.
 *
 * @throws Error if one is missing
 */
export async function findNodes(client: Client, count: number, signal: AbortSignal): Promise<NodeView[]> {
  const found: NodeView[] = []
  for await (const node of client.nodes({ signal })) found.push(node)
  if (found.length < count) throw new Error(`The DHT led to ${found.length} of ${count} nodes.`)
  return found
}
