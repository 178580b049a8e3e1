/** What the two sides of the control socket share: its path, and the messages of an audit. */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'

import {
  decodeAuditReply,
  encodeAuditRequest,
  parseDigest,
  PotluckError,
  type Audit,
  type AuditRequest,
  type Misstatement
} from '@potluck/protocol'

import type { AuditJob, AuditOutcome } from '../engine/audit.ts'

/** The path of a socket may have 108 bytes on Linux and 104 on macOS, including the final zero. */
export const MAX_SOCKET_PATH_BYTES = 103
export const SOCKET_NAME = 'control.sock'

/** Returns the path of the socket. Windows uses a named pipe instead, whose name contains a hash of the directory. */
export function controlPath(dataDirectory: string): string {
  const directory = resolve(dataDirectory)
  if (process.platform !== 'win32') return join(directory, SOCKET_NAME)
  return `\\\\.\\pipe\\potluck-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`
}

interface AuditMessage {
  /** Base64 of an audit reply's frame. */
  reply: string
  misstatements: readonly Misstatement[]
  noise?: number
}

export function encodeJob(job: AuditRequest): string {
  return toBase64(encodeAuditRequest(job))
}

/** The frame of an audit request, in base64. */
export function decodeJob(text: string): Omit<AuditJob, 'caller' | 'forPeer'> {
  return { frame: Buffer.from(text, 'base64') }
}

/** @param digest of the model, `sha256:…` */
export function encodeSpellJob(digest: string, tokens: readonly number[]): string {
  return JSON.stringify({ digest, tokens })
}

/** @throws SyntaxError */
export function decodeSpellJob(json: string): { model: Uint8Array; tokens: number[] } {
  const { digest, tokens } = JSON.parse(json) as { digest: unknown; tokens: unknown }
  if (!Array.isArray(tokens) || !tokens.every((token) => Number.isInteger(token) && token >= 0)) {
    throw new SyntaxError('not a list of token ids')
  }
  const model = parseDigest(String(digest))
  if (model === undefined) throw new SyntaxError('not a digest')
  return { model, tokens: tokens as number[] }
}

export function encodeAudit({ reply, ...rest }: AuditOutcome): string {
  const message: AuditMessage = { reply: toBase64(reply), ...rest }
  return JSON.stringify(message)
}

/** @throws PotluckError `protocol_violation`; SyntaxError */
export function decodeAudit(json: string): Audit {
  const { reply, ...rest } = JSON.parse(json) as AuditMessage
  const decoded = decodeAuditReply(Buffer.from(reply, 'base64'))
  if (decoded.type === 'error') throw new PotluckError(decoded.code, decoded.detail)
  return { ...decoded.result, ...rest }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
