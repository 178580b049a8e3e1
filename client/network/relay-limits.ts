/**
 * The limits that a relay sets for each connection that it carries: bytes and time. A relay of the public libp2p
 * network ends a connection after 128 KiB or 2 minutes, without an error. The client leaves such a connection shortly
 * before that, and dials the node again. An answer then continues at its next token.
 */
import type { Connection } from '@libp2p/interface'

import { RELAY_CUT_BYTES, RELAY_CUT_SHARE, RELAY_RESERVE } from '../base/constants.ts'

type Limited = Pick<Connection, 'limits' | 'timeline'>

interface Limits {
  /** Bytes that the relay still carried when this file first saw the connection. Infinity: no limit. */
  bytes: number
  /** Time that the relay carries the connection, from its opening, milliseconds. Infinity: no limit. */
  ms: number
}

/** What is left of a limit, as a share from 0 to 1. */
interface Left {
  bytes: number
  byteShare: number
  timeShare: number
}

const LIMITS = new WeakMap<Limited, Limits>()

/**
 * Whether the connection is so close to a limit that nothing new must begin on it.
 *
 * @param bytes that the next step needs
 * @param now milliseconds since the epoch
 */
export function isNearLimit(connection: Limited, bytes: number = 0, now: number = Date.now()): boolean {
  if (connection.limits === undefined) return false
  const left = leftOf(connection, now)
  return left.byteShare <= RELAY_RESERVE || left.bytes <= bytes || left.timeShare <= RELAY_RESERVE
}

/**
 * Whether the relay probably ended a stream on this connection that has just ended.
 *
 * @param now milliseconds since the epoch
 */
export function mayHaveReachedLimit(connection: Limited, now: number = Date.now()): boolean {
  if (connection.limits === undefined) return false
  const { bytes, byteShare, timeShare } = leftOf(connection, now)
  return bytes <= RELAY_CUT_BYTES || byteShare <= RELAY_CUT_SHARE || timeShare <= RELAY_RESERVE
}

/** libp2p subtracts from `limits.bytes` what all streams of the connection send and receive. */
function leftOf(connection: Limited, now: number): Left {
  let limits = LIMITS.get(connection)
  if (limits === undefined) LIMITS.set(connection, (limits = limitsOf(connection, now)))
  const bytes = bytesOf(connection)
  return {
    bytes,
    byteShare: limits.bytes === Infinity ? 1 : bytes / Math.max(1, limits.bytes),
    timeShare: limits.ms > 0 ? 1 - elapsedMs(connection, now) / limits.ms : 0
  }
}

function limitsOf(connection: Limited, now: number): Limits {
  const seconds = connection.limits?.seconds
  if (seconds === undefined) return { bytes: bytesOf(connection), ms: Infinity }
  const total = seconds + elapsedMs(connection, now) / 1000
  return { bytes: bytesOf(connection), ms: isInMilliseconds(total) ? total : 1000 * total }
}

/**
 * A js-libp2p relay announces its limit in milliseconds, in a field that is in seconds: 120,000 for two minutes.
 * Owners of relays set whole seconds, so a multiple of 1,000 is in milliseconds. If the guess is wrong, the client
 * leaves the connection too early, which costs a dial.
 */
function isInMilliseconds(seconds: number): boolean {
  const thousands = Math.round(seconds / 1000)
  // libp2p rounds to seconds.
  return thousands >= 1 && Math.abs(seconds - 1000 * thousands) <= 2
}

function bytesOf({ limits }: Limited): number {
  return limits?.bytes === undefined ? Infinity : Number(limits.bytes)
}

function elapsedMs({ timeline }: Limited, now: number): number {
  return Math.max(0, now - timeline.open)
}
