/**
 * The daemon's control socket: `potluck status` asks here.
 *
 * A Unix socket in the data directory needs no port and no key: the file's permissions are the
 * check. Windows has no such file, a named pipe of the same path's hash stands in.
 */
import { createHash } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { join, resolve } from 'node:path'

import type { Card, Load } from '@potluck/protocol'

import type { EngineStatus } from '../engine/interface.ts'
import type { NodeMetrics } from './metrics.ts'
import { listen } from './server.ts'

/** What the daemon tells its owner. */
export interface NodeStatus {
  peerId: string
  agent: string
  addresses: string[]
  /** In plain words. */
  reachability: string
  /** Peers connected. */
  connections: number
  uptimeMs: number
  draining: boolean
  engine: EngineStatus
  load: Load
  card: StatusCard
  metrics: NodeMetrics
}

/** The card as JSON: digests as `sha256:<hex>`, the peer as text. */
export type StatusCard = Omit<Card, 'peerId' | 'models'> & {
  peerId: string
  models: (Omit<Card['models'][number], 'digest'> & { digest: string })[]
}

/** A socket's path may have 108 bytes on Linux, 104 on macOS, one of them the final zero. */
const MAX_SOCKET_PATH_BYTES = 103
/** A local daemon answers at once; one that does not is stuck. */
const STATUS_TIMEOUT_MS = 5_000

/** @throws Error in one line, if the directory's path is too long */
export async function startControl(dataDirectory: string, status: () => Promise<NodeStatus>): Promise<Server> {
  const path = controlPath(dataDirectory)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new Error(
      `the data directory's path is too long for a socket: choose one of at most ${MAX_SOCKET_PATH_BYTES - 13} bytes`
    )
  }
  const server = createServer((_request, response) => {
    status().then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      () => response.writeHead(500).end()
    )
  })
  // Left by a daemon that was killed; a running one would hold the datastore's lock, which we have.
  await rm(path, { force: true })
  await listen(server, { path })
  if (process.platform !== 'win32') await chmod(path, 0o600)
  return server
}

/**
 * The status of the daemon that runs on a data directory.
 *
 * @throws Error in one line, if none runs there
 */
export async function readStatus(dataDirectory: string, signal?: AbortSignal): Promise<NodeStatus> {
  const timeout = AbortSignal.timeout(STATUS_TIMEOUT_MS)
  const body = await new Promise<string>((resolve, reject) => {
    const options = {
      socketPath: controlPath(dataDirectory),
      path: '/status',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    }
    request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  }).catch((cause: unknown) => {
    signal?.throwIfAborted()
    throw new Error(`no potluck node answers in ${dataDirectory}: start one with \`potluck serve\``, { cause })
  })
  return JSON.parse(body) as NodeStatus
}

function controlPath(dataDirectory: string): string {
  const directory = resolve(dataDirectory)
  if (process.platform !== 'win32') return join(directory, 'control.sock')
  return `\\\\.\\pipe\\potluck-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`
}
