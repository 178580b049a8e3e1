/**
 * The daemon's side of the control socket: HTTP on a Unix socket in the data directory, for the owner only.
 *
 * `GET /status` returns the status, `POST /pause` and `POST /resume` set whether the node takes new requests, `POST
 * /stop` ends it, `POST /audit` audits an answer, and `POST /spell` returns the texts of token ids. The socket needs no
 * port and no key, because the permissions of its file exclude other users.
 */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'

import type { AuditJob, AuditOutcome } from '../engine/audit.ts'
import { MAX_AUDIT_JOB_BYTES } from '../limits/limits.ts'
import { listenLocally } from '../metrics/local-server.ts'
import { controlPath, decodeJob, decodeSpellJob, encodeAudit, MAX_SOCKET_PATH_BYTES, SOCKET_NAME } from './shared.ts'
import type { SpellJob } from '../serve/audit.ts'
import type { NodeStatus } from './status.ts'

/** What the daemon does for its owner. */
export interface Control {
  status: () => Promise<NodeStatus>
  setPaused: (paused: boolean) => Promise<void>
  /** Asks the program that runs the node to drain it and to end. */
  requestStop: () => void
  audit: (job: Omit<AuditJob, 'caller' | 'forPeer'>) => Promise<AuditOutcome>
  spell: (job: SpellJob) => Promise<string[]>
}

/** @throws Error in one line, if the directory's path is too long */
export async function startControl(dataDirectory: string, control: Control): Promise<Server> {
  const path = controlPath(dataDirectory)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    const maxBytes = MAX_SOCKET_PATH_BYTES - SOCKET_NAME.length - 1
    throw new Error(
      `cannot open a socket in ${dataDirectory}: the path has more than ${maxBytes} bytes; choose a shorter path`
    )
  }
  const server = createServer((incoming, response) => {
    answer(incoming, control).then(
      (body) => {
        // The node closes this server when it ends, so the reply must be sent before.
        const stops = incoming.method === 'POST' && incoming.url === '/stop'
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(body, stops ? control.requestStop : undefined)
      },
      () => response.writeHead(500).end()
    )
  })
  // The socket may remain from a daemon that was killed. No other daemon is running, because this one holds the lock.
  await rm(path, { force: true })
  await listenLocally(server, { path })
  if (process.platform !== 'win32') await chmod(path, 0o600)
  return server
}

async function answer(incoming: IncomingMessage, control: Control): Promise<string> {
  const { status, setPaused, audit, spell } = control
  const { method, url } = incoming
  if (method === 'POST' && (url === '/pause' || url === '/resume')) await setPaused(url === '/pause')
  if (method === 'POST' && url === '/audit') return encodeAudit(await audit(decodeJob(await readText(incoming))))
  if (method === 'POST' && url === '/spell')
    return JSON.stringify(await spell(decodeSpellJob(await readText(incoming))))
  return JSON.stringify(await status())
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MAX_AUDIT_JOB_BYTES) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
