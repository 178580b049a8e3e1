/** Reads a request's body as JSON from Node's own stream, up to a limit. */
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

import { ApiError, invalid } from '../errors.ts'

/**
 * @param accept `any type` for an API whose users send JSON with the content type that their tool chooses
 * @throws ApiError 413 for a body above the limit, whose rest is not read; 415 for another content type or compression;
 *   400 for a body that is not a JSON object in UTF-8
 */
export async function readJson(
  incoming: IncomingMessage,
  maxBytes: number,
  accept: 'json' | 'any type' = 'json'
): Promise<Record<string, unknown>> {
  const type = incoming.headers['content-type']
  if (accept === 'json' && type !== undefined && !/^application\/([\w.-]+\+)?json\b/i.test(type)) {
    throw new ApiError('The body must be JSON: send it with the content type application/json.', {
      status: 415,
      type: 'invalid_request_error',
      code: 'unsupported_media_type'
    })
  }
  const text = decode(await decompress(incoming, await readBytes(incoming, maxBytes), maxBytes))
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // The parser's message would quote the prompt.
    throw invalid(null, 'The body is not valid JSON.', 'invalid_json')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid(null, 'The body must be a JSON object.', 'invalid_json')
  }
  return body as Record<string, unknown>
}

/** @throws ApiError 415 for an unknown compression, 413 for a body that is too large when it is decompressed */
async function decompress(incoming: IncomingMessage, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const encoding = (incoming.headers['content-encoding'] ?? 'identity').toLowerCase()
  if (encoding === 'identity') return bytes
  if (encoding !== 'gzip') {
    throw new ApiError("The body has an unknown compression: send it as it is, or with 'gzip'.", {
      status: 415,
      type: 'invalid_request_error',
      code: 'unsupported_media_type'
    })
  }
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(maxBytes)
    throw invalid(null, 'The body is not valid gzip.', 'invalid_json')
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid(null, 'The body is not valid UTF-8.', 'invalid_json')
  }
}

async function readBytes(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Buffer[] = []
  let bytes = 0
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes <= maxBytes) chunks.push(chunk)
    else {
      incoming.pause()
      reject(tooLarge(maxBytes))
    }
  })
  const cut = (): void => reject(invalid(null, 'The connection closed before the end of the body.', 'invalid_json'))
  incoming.once('end', resolve).once('error', cut).once('close', cut)
  await promise
  return Buffer.concat(chunks)
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(`The body is larger than ${maxBytes} bytes; shorten the prompt.`, {
    status: 413,
    type: 'invalid_request_error',
    code: 'request_too_large'
  })
}
