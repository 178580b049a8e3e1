/**
 * What can go wrong, whose fault it is, and whether another try may help.
 *
 * The code travels in a `Failure` frame or is given by the client itself; reputation, retries and
 * HTTP statuses all derive from this one table, so no layer has to read messages.
 */

/** Who a failure speaks against. `nobody`: an honest refusal, a mismatch or the network between. */
export type Fault = 'node' | 'caller' | 'network' | 'nobody'

export interface ErrorTraits {
  fault: Fault
  /** Another attempt, at this node later or at another node now, may succeed. */
  retryable: boolean
}

/** The codes that a node sends. */
export type WireCode =
  | 'busy'
  | 'rate_limited'
  | 'draining'
  | 'model_not_found'
  | 'context_length_exceeded'
  | 'invalid_request'
  | 'unsupported'
  | 'engine_failed'
  | 'caller_stalled'

/** The codes that a client gives, from what it saw. */
export type ClientCode =
  | 'dial_failed'
  | 'dial_timeout'
  | 'request_timeout'
  | 'admission_timeout'
  | 'first_token_timeout'
  | 'token_timeout'
  | 'stream_cut'
  | 'protocol_violation'
  | 'no_providers'
  | 'aborted'

export type ErrorCode = WireCode | ClientCode

const WIRE_TRAITS: Record<WireCode, ErrorTraits> = {
  // Refusals, in place of `accepted`.
  /** The queue is full; `retryAfterMs` says when to come back. */
  busy: { fault: 'nobody', retryable: true },
  /** This caller has too many requests in this node already. */
  rate_limited: { fault: 'caller', retryable: true },
  /** The node is leaving and takes no new work. */
  draining: { fault: 'nobody', retryable: true },
  /** The node does not serve that digest (any more): a provider record was stale. */
  model_not_found: { fault: 'nobody', retryable: true },
  /** Prompt and answer do not fit the model's context. */
  context_length_exceeded: { fault: 'caller', retryable: false },
  /** The request breaks a rule; the detail names the field. */
  invalid_request: { fault: 'caller', retryable: false },
  /** Well-formed, but this node cannot do it (a feature or contract version it lacks). */
  unsupported: { fault: 'nobody', retryable: true },

  // Failures after the request was taken.
  /** The engine crashed or gave an error. */
  engine_failed: { fault: 'node', retryable: true },
  /** The caller gave no credit for too long. */
  caller_stalled: { fault: 'caller', retryable: false }
}

const CLIENT_TRAITS: Record<ClientCode, ErrorTraits> = {
  dial_failed: { fault: 'network', retryable: true },
  dial_timeout: { fault: 'network', retryable: true },
  request_timeout: { fault: 'network', retryable: true },
  admission_timeout: { fault: 'node', retryable: true },
  first_token_timeout: { fault: 'node', retryable: true },
  token_timeout: { fault: 'node', retryable: true },
  /** The stream ended without a terminal frame. */
  stream_cut: { fault: 'node', retryable: true },
  /** Bytes or an order of frames that no honest node sends. */
  protocol_violation: { fault: 'node', retryable: true },
  /** No node that serves the request was found. */
  no_providers: { fault: 'nobody', retryable: true },
  /** The caller's own signal. */
  aborted: { fault: 'caller', retryable: false }
}

/** Fault and retryability of every code. */
export const ERROR_TRAITS: Readonly<Record<ErrorCode, ErrorTraits>> = { ...WIRE_TRAITS, ...CLIENT_TRAITS }

/**
 * Whether a string from the wire is a code that a node may send. A node that named one of the
 * client's own (`aborted`, `no_providers`) would choose its own blame.
 */
export function isWireCode(code: string): code is WireCode {
  return Object.hasOwn(WIRE_TRAITS, code)
}

export interface PotluckErrorOptions {
  cause?: unknown
  /** When another try makes sense, milliseconds from now. */
  retryAfterMs?: number
  /** The node it concerns, as a peer id string. */
  peer?: string
}

/**
 * The one error type of the protocol and the client.
 *
 * @example
 * try {
 *   await answer.text()
 * } catch (error) {
 *   if (error instanceof PotluckError && error.retryable) later(error.retryAfterMs ?? 1000)
 * }
 */
export class PotluckError extends Error {
  override readonly name = 'PotluckError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined
  readonly peer: string | undefined

  constructor(code: ErrorCode, message: string, options: PotluckErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.peer = options.peer
  }

  get fault(): Fault {
    return ERROR_TRAITS[this.code].fault
  }

  get retryable(): boolean {
    return ERROR_TRAITS[this.code].retryable
  }
}
