/** The package in Node: everything of `index.ts`, with TCP and mDNS. */
import { createClientOn, type Client, type ClientOptions } from './client.ts'
import { nodePlatform } from './platform/node.ts'

export * from './index.ts'

/** See `Client`; `examples/` holds programs to start from. */
export async function createClient(options: ClientOptions = {}): Promise<Client> {
  return await createClientOn(nodePlatform, options)
}
