/** The client's side of the control socket: sends requests to the daemon that uses a data directory. */
import { request, type RequestOptions } from 'node:http'
import { text } from 'node:stream/consumers'

import { deadline, type Audit, type AuditRequest } from '@potluck/protocol'

import { LOCAL_REQUEST_TIMEOUT_MS } from '../limits/limits.ts'
import { controlPath, decodeAudit, encodeJob, encodeSpellJob } from './shared.ts'
import type { NodeStatus } from './status.ts'

/**
 * Returns the daemon's status.
 *
 * @throws Error in one line, if no daemon uses the directory; the signal's reason
 */
export async function readStatus(dataDirectory: string, signal?: AbortSignal): Promise<NodeStatus> {
  return await askStatus(dataDirectory, { method: 'GET', path: '/status' }, signal)
}

async function askStatus(
  dataDirectory: string,
  options: Pick<RequestOptions, 'method' | 'path'>,
  signal?: AbortSignal
): Promise<NodeStatus> {
  const timeout = deadline(LOCAL_REQUEST_TIMEOUT_MS, ...(signal === undefined ? [] : [signal]))
  try {
    return JSON.parse(await ask(dataDirectory, { ...options, signal: timeout })) as NodeStatus
  } catch (cause) {
    signal?.throwIfAborted()
    throw new Error(`no potluck node answers in ${dataDirectory}: start one with \`potluck serve\``, { cause })
  }
}

/**
 * Lets the daemon take no new requests, or take them again. Returns its status afterwards.
 *
 * @throws as `readStatus`
 */
export async function setPaused(dataDirectory: string, paused: boolean, signal?: AbortSignal): Promise<NodeStatus> {
  return await askStatus(dataDirectory, { method: 'POST', path: paused ? '/pause' : '/resume' }, signal)
}

/**
 * Lets the daemon drain and end. Returns its status now.
 *
 * @throws as `readStatus`
 */
export async function stopDaemon(dataDirectory: string, signal?: AbortSignal): Promise<NodeStatus> {
  return await askStatus(dataDirectory, { method: 'POST', path: '/stop' }, signal)
}

/**
 * Asks the daemon to audit an answer with its model.
 *
 * @throws Error if the daemon cannot audit it now
 */
export async function askControlAudit(dataDirectory: string, job: AuditRequest, signal: AbortSignal): Promise<Audit> {
  return decodeAudit(await ask(dataDirectory, { method: 'POST', path: '/audit', signal }, encodeJob(job)))
}

/**
 * Asks the daemon for the text of each token.
 *
 * @param digest of the model, `sha256:…`
 * @throws Error if the model does not have one of them
 */
export async function askControlSpell(
  dataDirectory: string,
  { digest, tokens }: { digest: string; tokens: readonly number[] },
  signal: AbortSignal
): Promise<string[]> {
  const body = encodeSpellJob(digest, tokens)
  return JSON.parse(await ask(dataDirectory, { method: 'POST', path: '/spell', signal }, body)) as string[]
}

async function ask(
  dataDirectory: string,
  options: Pick<RequestOptions, 'method' | 'path' | 'signal'>,
  body?: string
): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    request({ ...options, socketPath: controlPath(dataDirectory) }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`the daemon answered ${response.statusCode}`))
      text(response).then(resolve, reject)
    })
      .on('error', reject)
      .end(body)
  })
}
