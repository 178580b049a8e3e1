/** Every limit of the gateway, with its reason. Times in milliseconds, sizes in bytes. */
import { CREDIT_TIMEOUT_MS } from '@potluck/protocol'

export interface GatewayLimits {
  /**
   * A request's body. Default 8 MiB: the 2 MiB that fit a frame of the network, with room for what JSON
   * makes of them (six bytes for an escaped character).
   */
  bodyBytes: number
  /** All headers of a request together. Default 16 KiB, Node's own. */
  headerBytes: number
  /** From a connection's first byte to the end of the headers. Default 10 s: whoever is slower is stuck, or holds on to be. */
  headersTimeoutMs: number
  /** From the first byte to the end of the body. Default 60 s: 8 MiB at 1 Mbit/s. */
  requestTimeoutMs: number
  /** How long a reader of a stream may take nothing. Default 30 s, the patience of the nodes with their callers. */
  readerTimeoutMs: number
  /** Connections at once. Default 1,024, Node's descriptors on most systems. */
  connections: number
  /** Answers at once, over all callers. Default 512: each holds a stream to a node. */
  answers: number
  /** Answers of one request (`n`). Default 16, the streams that one node takes from one peer. */
  answersPerRequest: number
  /** Requests a minute for each key, or for all callers where no key is asked for. Default 600. */
  requestsPerMinute: number
  /** Silence after which a comment keeps a stream from being cut by a proxy. Default 15 s; many cut after 30. */
  keepAliveMs: number
}

export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 8 * 1024 * 1024,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  readerTimeoutMs: CREDIT_TIMEOUT_MS,
  connections: 1_024,
  answers: 512,
  answersPerRequest: 16,
  requestsPerMinute: 600,
  keepAliveMs: 15_000
}

/** Behind the relay's 4001 and 4002. */
export const DEFAULT_PORT = 4003
/** Bytes that wait for a slow reader before the answer is slowed down: some 80 tokens. */
export const WRITE_BUFFER_BYTES: number = 16 * 1024
/** How often stuck connections are looked for, at most: Node's 30 s would quadruple a limit of 10 s. */
export const LONGEST_CHECK_MS = 1_000
/** After `stop`, what running answers get to say that they were ended. */
export const STOP_GRACE_MS = 2_000
/** A lookup of what is served is answered with what came until then; it goes on for the next one. */
export const LIST_WAIT_MS = 4_000
/** Models that an error names. */
export const NAMED_MODELS = 10
/** Wait where a refusal names none. */
export const DEFAULT_RETRY_MS = 1_000
/** SDKs obey a wait below a minute, and for a longer one guess their own: then it is better said that no retry helps. */
export const LONGEST_RETRY_MS = 60_000
