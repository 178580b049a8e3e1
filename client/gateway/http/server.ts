/** The HTTP server under the app, with the limits that Node itself enforces. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { createAdaptorServer } from '@hono/node-server'

import { LONGEST_CHECK_MS, WRITE_BUFFER_BYTES, type GatewayLimits } from '../limits.ts'
import type { GatewayApp } from './context.ts'

export interface ListenOptions {
  host: string
  port: number
  limits: GatewayLimits
}

/** @throws Error in one line if the address cannot be had */
export async function listen(app: GatewayApp, { host, port, limits }: ListenOptions): Promise<Server> {
  const { headersTimeoutMs, requestTimeoutMs, headerBytes } = limits
  const server = createAdaptorServer({
    fetch: app.fetch,
    // The process belongs to whoever started the gateway: its `Request` and `Response` stay as they are.
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: headerBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(LONGEST_CHECK_MS, headersTimeoutMs),
      highWaterMark: WRITE_BUFFER_BYTES,
      // Finds readers that vanished without a word.
      keepAlive: true
    }
  }) as Server
  server.maxConnections = limits.connections
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Error(`the gateway cannot listen on ${host} port ${port}: ${reasonOf(cause)}`, { cause }))
    )
    server.listen(port, host, resolve)
  })
  return server
}

export function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function reasonOf(error: Error): string {
  if ('code' in error && error.code === 'EADDRINUSE') return 'it is in use; choose another with --port'
  return error.message
}
