/**
 * The daemon's control socket: `potluck status` asks here, and its owner's client has answers audited.
 *
 * A Unix socket in the data directory needs no port and no key: the file's permissions are the
 * check. Windows has no such file, a named pipe of the same path's hash stands in.
 */
import { createHash } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import { createServer, request, type IncomingMessage, type RequestOptions, type Server } from 'node:http'
import { join, resolve } from 'node:path'

import { MAX_FRAME_BYTES, type Card, type Load } from '@potluck/protocol'

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
/** An audit request in Base64, and the answer's text. */
const MAX_JOB_BYTES = 4 * MAX_FRAME_BYTES

/** What the daemon does for its owner. */
export interface Control {
  status: () => Promise<NodeStatus>
  /** Bytes of `owner-audit.ts`. */
  audit: (job: Uint8Array) => Promise<Uint8Array>
}

/** @throws Error in one line, if the directory's path is too long */
export async function startControl(dataDirectory: string, control: Control): Promise<Server> {
  const path = controlPath(dataDirectory)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new Error(
      `the data directory's path is too long for a socket: choose one of at most ${MAX_SOCKET_PATH_BYTES - 13} bytes`
    )
  }
  const server = createServer((incoming, response) => {
    answer(incoming, control).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(body),
      () => response.writeHead(500).end()
    )
  })
  // Left by a daemon that was killed; a running one would hold the datastore's lock, which we have.
  await rm(path, { force: true })
  await listen(server, { path })
  if (process.platform !== 'win32') await chmod(path, 0o600)
  return server
}

async function answer(incoming: IncomingMessage, { status, audit }: Control): Promise<string | Uint8Array> {
  if (incoming.method !== 'POST') return JSON.stringify(await status())
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.byteLength
    if (bytes > MAX_JOB_BYTES) throw new Error('the job is larger than any answer')
    parts.push(part)
  }
  return await audit(Buffer.concat(parts))
}

/**
 * The status of the daemon that runs on a data directory.
 *
 * @throws Error in one line, if none runs there
 */
export async function readStatus(dataDirectory: string, signal?: AbortSignal): Promise<NodeStatus> {
  const timeout = AbortSignal.timeout(STATUS_TIMEOUT_MS)
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  const body = await ask(dataDirectory, { method: 'GET', path: '/status', signal: either }).catch((cause: unknown) => {
    signal?.throwIfAborted()
    throw new Error(`no potluck node answers in ${dataDirectory}: start one with \`potluck serve\``, { cause })
  })
  return JSON.parse(body.toString()) as NodeStatus
}

/**
 * Has the daemon that runs on a data directory audit an answer.
 *
 * @param job bytes of `owner-audit.ts`, as what comes back
 * @throws Error if it cannot now
 */
export async function askControlAudit(
  dataDirectory: string,
  job: Uint8Array,
  signal: AbortSignal
): Promise<Uint8Array> {
  return await ask(dataDirectory, { method: 'POST', path: '/audit', signal }, job)
}

async function ask(
  dataDirectory: string,
  options: Pick<RequestOptions, 'method' | 'path' | 'signal'>,
  body?: Uint8Array
): Promise<Buffer> {
  return await new Promise<Buffer>((resolve, reject) => {
    request({ ...options, socketPath: controlPath(dataDirectory) }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts))
        else reject(new Error(`the daemon answered ${response.statusCode}`))
      })
      response.on('error', reject)
    })
      .on('error', reject)
      .end(body)
  })
}

function controlPath(dataDirectory: string): string {
  const directory = resolve(dataDirectory)
  if (process.platform !== 'win32') return join(directory, 'control.sock')
  return `\\\\.\\pipe\\potluck-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`
}
