/** The package in Node: `index.ts` with TCP, mDNS and a store on disk. */
import { createClientOn, type Client } from './client.ts'
import type { ClientOptions } from './options.ts'
import { nodePlatform } from './platform/node.ts'

export * from './index.ts'
export { SqlitePeerStore } from './platform/node-peer-store.ts'
export { SqliteReputationStore } from './platform/node-reputation-store.ts'

/**
 * Connects to a network. Resolves when the client can be used. The first request starts to look for nodes.
 * `examples/` has whole programs, which the tests run.
 *
 * @example
 * const client = await createClient({ bootstrap: ['/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…'] })
 * const answer = client.chat({ messages: [{ role: 'user', content: 'Tell me a story about a fox.' }] })
 * for await (const part of answer) if (part.type === 'delta') process.stdout.write(part.text)
 * await client.stop()
 *
 * @throws PotluckError `invalid_request` for a malformed bootstrap address, or if neither a bootstrap address, mDNS
 *   nor a saved peer is available
 */
export async function createClient(options: ClientOptions = {}): Promise<Client> {
  return await createClientOn(nodePlatform, options)
}
