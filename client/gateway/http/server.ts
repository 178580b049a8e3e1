/** The HTTP server that runs the app, with the limits that Node itself enforces. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { createAdaptorServer } from '@hono/node-server'

import { LONGEST_CHECK_MS, WRITE_BUFFER_BYTES, type GatewayLimits } from '../limits.ts'
import type { GatewayApp } from './context.ts'

export interface ServerOptions {
  host: string
  port: number
  limits: GatewayLimits
}

/** @throws Error with a one-line message if the server cannot listen on the address */
export async function startServer(app: GatewayApp, { host, port, limits }: ServerOptions): Promise<Server> {
  const { headersTimeoutMs, requestTimeoutMs, headerBytes } = limits
  const server = createAdaptorServer({
    fetch: app.fetch,
    // Do not replace the global `Request` and `Response`, because other code in this process uses them.
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: headerBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(LONGEST_CHECK_MS, headersTimeoutMs),
      highWaterMark: WRITE_BUFFER_BYTES,
      // TCP keep-alive detects callers that disappear without closing the connection.
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
  if ('code' in error && error.code === 'EADDRINUSE') return 'another program uses it; choose another port with --port'
  return error.message
}
