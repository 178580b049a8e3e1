/** Starting and stopping a small HTTP server of one's own machine. */
import type { Server } from 'node:http'
import type { ListenOptions } from 'node:net'

/** Small requests of a local program: anything slower is stuck. */
const REQUEST_TIMEOUT_MS = 5_000

/** @throws Error in one line, which says why the address cannot be had */
export async function listen(server: Server, options: ListenOptions): Promise<void> {
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = REQUEST_TIMEOUT_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // The daemon lives as long as its libp2p node, not as long as this.
  server.unref()
}

export async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}
