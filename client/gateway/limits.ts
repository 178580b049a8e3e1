/** Every limit of the gateway, with its reason. Times are in milliseconds, sizes in bytes. */
import { CREDIT_TIMEOUT_MS } from '@potluck/protocol'

export interface GatewayLimits {
  /**
   * Size of a request's body. Default 8 MiB: a frame of the network carries 2 MiB, and JSON escapes can make that
   * larger (six bytes for one escaped character).
   */
  bodyBytes: number
  /** Size of all headers of a request together. Default 16 KiB, Node's own default. */
  headerBytes: number
  /** From a connection's first byte to the end of the headers. Default 10 s: a slower sender is broken or malicious. */
  headersTimeoutMs: number
  /** From the first byte to the end of the body. Default 60 s: 8 MiB take that long at 1 Mbit/s. */
  requestTimeoutMs: number
  /** How long the reader of a stream may read nothing. Default 30 s, as long as a node waits for credit. */
  readerTimeoutMs: number
  /** Open connections. Default 1,024, the usual limit of file descriptors of a process. */
  connections: number
  /** Answers at once, for all callers together. Default 512: each answer holds a stream to a node. */
  answers: number
  /** Answers to one request (`n`). Default 16, the number of streams that a node accepts from one peer. */
  answersPerRequest: number
  /** Requests per minute for each key, or for all callers together if no key is set. Default 600. */
  requestsPerMinute: number
  /**
   * Silence after which the gateway sends a comment, so that no proxy closes the stream. Default 15 s: many proxies
   * close a connection after 30 s of silence.
   */
  keepAliveMs: number
}

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
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

/** The next free number after the relay's 4001 and 4002. */
export const DEFAULT_GATEWAY_PORT = 4003
/** Bytes that may wait for a slow reader before the gateway slows the answer: about 80 tokens. */
export const WRITE_BUFFER_BYTES: number = 16 * 1024
/** Longest interval between two checks for slow senders. Node's default of 30 s would turn a limit of 10 s into 40 s. */
export const LONGEST_CHECK_MS = 1_000
/** How long `stop` waits for the running responses to end before it closes their connections. */
export const STOP_GRACE_MS = 2_000
/** How long a request for the model list waits. The list then contains the models found so far. */
export const LIST_WAIT_MS = 4_000
/** How many models an error message names. */
export const NAMED_MODELS = 10
/** The wait that the gateway suggests if the refusal suggests none. */
export const DEFAULT_RETRY_MS = 1_000
/**
 * Longest wait for which the gateway asks SDKs to retry. SDKs replace a longer wait by a shorter one of their own, and
 * would retry too early.
 */
export const LONGEST_RETRY_MS = 60_000
