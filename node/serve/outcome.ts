/** How a failure while serving is told: to the peer as a code, and whose fault it is for its patience. */
import { isWireCode, PotluckError, type ErrorCode, type Load, type NodeFrame, type WireCode } from '@potluck/protocol'

import type { GenerateService } from './service.ts'

type ErrorFrame = Extract<NodeFrame, { type: 'error' }>

/** Any exception as a code; what our own side failed at is logged here and goes no further. */
export function toPotluckError(
  error: unknown,
  { stopping, logger }: Pick<GenerateService, 'stopping' | 'logger'>
): PotluckError {
  if (stopping.aborted) return new PotluckError('draining', 'the node stops', { cause: error })
  if (error instanceof PotluckError && error.code !== 'engine_failed') return error
  logger.warn({ err: error }, 'serving a request failed')
  return new PotluckError('engine_failed', 'serving the request failed', { cause: error })
}

/** The frame for an error, or undefined where nobody is there to read it. */
export function toErrorFrame({ code, message, retryAfterMs }: PotluckError, load: Load): ErrorFrame | undefined {
  const wireCode = toWireCode(code)
  if (wireCode === undefined) return undefined
  return {
    type: 'error',
    code: wireCode,
    load,
    // An engine's own words may hold anything; those of a refusal name fields and limits.
    detail: wireCode === 'engine_failed' ? '' : message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) })
  }
}

/** The peer broke a rule or wasted work, as opposed to an honest refusal or a fault of ours. */
const CALLERS_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'rate_limited',
  'invalid_request',
  'context_length_exceeded',
  'caller_stalled',
  'request_timeout',
  'protocol_violation',
  'stream_cut',
  'aborted'
])

export function isCallersFault(code: ErrorCode): boolean {
  return CALLERS_FAULTS.has(code)
}

function toWireCode(code: ErrorCode): WireCode | undefined {
  if (isWireCode(code)) return code
  return code === 'request_timeout' || code === 'protocol_violation' ? 'invalid_request' : undefined
}
