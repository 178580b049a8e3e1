/** Starts and stops a small HTTP server for programs of the same machine. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { ListenOptions } from 'node:net'

import { LOCAL_REQUEST_TIMEOUT_MS } from '../limits/limits.ts'

/** @throws Error of the operating system, if the server cannot listen there */
export async function listenLocally(server: Server, options: ListenOptions): Promise<void> {
  server.requestTimeout = LOCAL_REQUEST_TIMEOUT_MS
  server.headersTimeout = LOCAL_REQUEST_TIMEOUT_MS
  server.listen(options)
  await once(server, 'listening')
  // This server alone does not keep the daemon's process alive.
  server.unref()
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
}
