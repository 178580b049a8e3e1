/**
 * Metrics and health over HTTP, if the owner sets a port.
 *
 * The server listens on loopback only. It refuses requests with another host name. Otherwise a web page could read the
 * metrics through DNS rebinding.
 */
import { createServer, type Server } from 'node:http'

import { listenLocally } from './local-server.ts'

export interface MetricsHttpOptions {
  /** 0: any free port. */
  port: number
  text: () => Promise<{ contentType: string; body: string }>
  /** Whether the node can serve a request now. */
  ready: () => boolean
}

const LOOPBACK = '127.0.0.1'
const LOOPBACK_NAMES = new Set([LOOPBACK, 'localhost'])

/**
 * Serves `/metrics`, `/healthz` and `/readyz`.
 *
 * @throws Error in one line, if the node cannot listen on the port
 */
export async function startMetricsHttp({ port, text, ready }: MetricsHttpOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const reply = (status: number, body: string, contentType = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': contentType }).end(body)
    }
    const host = request.headers.host?.replace(/:\d+$/, '') ?? ''
    if (!LOOPBACK_NAMES.has(host)) return reply(403, 'only for this machine\n')
    if (request.method !== 'GET') return reply(405, 'only GET\n')
    if (request.url === '/healthz') return reply(200, 'ok\n')
    if (request.url === '/readyz') return ready() ? reply(200, 'ready\n') : reply(503, 'not ready\n')
    if (request.url !== '/metrics') return reply(404, 'the paths are /metrics, /healthz and /readyz\n')
    text().then(
      ({ contentType, body }) => reply(200, body, contentType),
      () => reply(500, 'metrics failed\n')
    )
  })
  try {
    await listenLocally(server, { host: LOOPBACK, port })
  } catch (cause) {
    throw new Error(`cannot serve metrics on port ${port}: it is in use or reserved; choose another port`, { cause })
  }
  return server
}
