/** Starts and stops the gateway. */
import type { Server } from 'node:http'
import { isIP } from 'node:net'

import { PotluckError } from '@potluck/protocol'

import type { Client } from '../index.ts'
import { auditsOf } from './answers/potluck.ts'
import { createApp } from './app.ts'
import type { HostRules } from './guard/host.ts'
import { Turnstile } from './guard/turnstile.ts'
import { listen, urlOf } from './http/server.ts'
import { DEFAULT_LIMITS, DEFAULT_PORT, STOP_GRACE_MS, type GatewayLimits } from './limits.ts'
import { GatewayMetrics } from './metrics.ts'
import { ServedModels } from './served-models.ts'

export interface GatewayOptions extends Partial<HostRules> {
  /** Stays the caller's: stopping the gateway does not stop it. */
  client: Pick<Client, 'chat' | 'complete' | 'embed' | 'nodes' | 'standing'>
  /** Address to listen on. Default 127.0.0.1; any other than this machine's own needs a key. */
  host?: string
  /** Default 4003; 0 takes a free one. */
  port?: number
  /** Who may call. Default: everybody on this machine, whatever key they send. */
  keys?: readonly string[]
  /** Default `DEFAULT_LIMITS`. */
  limits?: Partial<GatewayLimits>
  /** Hears of errors that are the gateway's own. No prompt stands in them. */
  onFailure?: (error: unknown) => void
}

export interface Gateway {
  /** Where it listens, as `http://127.0.0.1:4003`; the base URL of OpenAI's clients is this and `/v1`. */
  url: string
  /** Ends what runs, tells its callers, and stops listening. */
  stop: () => Promise<void>
}

/**
 * Serves the network over HTTP, as OpenAI's API.
 *
 * @example
 * const client = await createClient({ bootstrap: ['/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…'] })
 * const gateway = await startGateway({ client })
 * // OPENAI_BASE_URL=http://127.0.0.1:4003/v1
 *
 * @throws Error in one line if the address cannot be had, or is open to others without a key
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { client, host = '127.0.0.1', port = DEFAULT_PORT, keys = [], hosts = [], origins = [] } = options
  if (keys.length === 0 && !isLoopback(host)) {
    throw new Error(`others could use the gateway at ${host}: set a key, or listen on 127.0.0.1`)
  }
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const clock = (): number => performance.now()
  const now = (): number => Math.floor(Date.now() / 1000)
  const stopping = new AbortController()
  const services = {
    client,
    models: new ServedModels(client),
    audits: auditsOf(client),
    metrics: new GatewayMetrics(clock),
    turnstile: new Turnstile(limits.answers),
    limits,
    stopping: stopping.signal,
    now,
    startedAt: now(),
    onFailure: options.onFailure ?? (() => undefined)
  }
  const server = await listen(createApp(services, { keys, hosts, origins, clock }), { host, port, limits })
  let stopped: Promise<void> | undefined
  return {
    url: urlOf(server),
    stop: async () => {
      stopping.abort(new PotluckError('aborted', 'the gateway is stopping'))
      await (stopped ??= close(server))
    }
  }
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  // Idle connections go at once, the others when they were told.
  server.close(() => resolve())
  const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS)
  await promise
  clearTimeout(grace)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
