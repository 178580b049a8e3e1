/**
 * Every limit of the daemon and the relay, with its reason. Times are in milliseconds, sizes in bytes.
 *
 * The owner can set the limits in `NodeLimits`. The others follow from the protocol. The engine's limits are in
 * `engine/constants.ts`.
 */
import {
  CREDIT_TIMEOUT_MS,
  CREDIT_WINDOW,
  MAX_FRAME_BYTES,
  REQUEST_READ_TIMEOUT_MS,
  type Scope
} from '@potluck/protocol'

export interface NodeLimits {
  /** Waiting requests for each slot. Default 8: a caller that would wait for more answers should use another node. */
  queuedPerSlot: number
  /**
   * Open streams of one peer, whether their requests are being read, queued or answered. Default 16: enough for a
   * gateway with a household behind it, and less than the queue of a node with two slots.
   */
  streamsPerPeer: number
  /**
   * Unread streams of all peers together: open streams whose request has not arrived yet. Default 64: an honest request
   * arrives within a round trip, and the node may have to hold 64 incomplete frames of 2 MiB. At the limit the node
   * resets the oldest unread stream, so that silent streams cannot block other peers.
   */
  unreadStreams: number
  /** The time from the opening of a stream until the whole request must have arrived. The protocol's default: 10 s. */
  requestReadTimeoutMs: number
  /** How long a caller that grants no credit, or does not read, may hold a slot. The protocol's default: 30 s. */
  creditTimeoutMs: number
  /**
   * The rate limit of a peer: how many of its requests may fail through its own fault (such as invalid, cut off,
   * cancelled or stalled) in a burst, and how many more each second. Default 64 and 2: a client with a careless retry
   * loop stays below. Above the limit the node refuses the peer's streams before it reads a byte of them. Answered
   * requests do not count.
   */
  failedRequestBurst: number
  failedRequestsPerSecond: number
  /** How long running answers may take after `drain()`. Default 2 min: about 1,500 tokens on a slow processor. */
  drainTimeoutMs: number
  /**
   * Connections of all peers. Default 96: a home router behind carrier-grade NAT runs out of ports with a few
   * hundred (kubo#11326), and a DHT of thousands of peers needs about 60.
   */
  connections: number
}

export const DEFAULT_NODE_LIMITS: NodeLimits = {
  queuedPerSlot: 8,
  streamsPerPeer: 16,
  unreadStreams: 64,
  requestReadTimeoutMs: REQUEST_READ_TIMEOUT_MS,
  creditTimeoutMs: CREDIT_TIMEOUT_MS,
  failedRequestBurst: 64,
  failedRequestsPerSecond: 2,
  drainTimeoutMs: 120_000,
  connections: 96
}

/** Peers whose rate limit the node remembers, about 400 KB. It forgets the least recently failed peer first. */
export const RATE_LIMITED_PEERS = 4096
/** The shortest pause that the node asks of a peer that exceeded its rate limit or its streams. */
export const RATE_LIMITED_RETRY_MS = 1_000

/**
 * In this time, the abuse log writes one line for a peer and limit. The next line has the number of suppressed lines.
 */
export const ABUSE_LOG_INTERVAL_MS = 10_000
/** Pairs of peer and limit that the abuse log remembers. */
export const ABUSE_LOG_PAIRS = 1024

/**
 * Inbound streams of one connection. A peer can fill a stream's window of 256 KiB before the node reads it, so this
 * bounds the memory of a connection, to 16 MiB by default. No protocol has its own, lower limit: if a peer opens too
 * many streams at once, libp2p resets all of them, and the peer does not learn the reason.
 */
export function streamsPerConnection({ streamsPerPeer }: Pick<NodeLimits, 'streamsPerPeer'>): number {
  return 2 * streamsPerPeer + OTHER_STREAMS_PER_CONNECTION
}
/** Streams for the DHT, identify, ping and cards. */
const OTHER_STREAMS_PER_CONNECTION = 32
/** Connections of one peer: TCP, WebSocket, relayed, and a new one beside a dead one. */
export const CONNECTIONS_PER_PEER = 4
/** The longest time for sending a card or an error to a peer that does not read. */
export const SHORT_WRITE_TIMEOUT_MS = 10_000

/**
 * Tokens that the engine may compute ahead of the stream, even if the caller granted more credit. Otherwise a caller
 * that grants credit and does not read could fill the node's memory. It is the credit that a caller usually grants.
 */
export const ENGINE_LEAD_TOKENS: number = CREDIT_WINDOW

/**
 * The time for the caller to read an error or a card and close its side: one or two round trips, also through a relay.
 */
export const LINGER_MS = 2_000
/** The same after a result. Windows and buffers can still hold half a MB, which takes about 25 s at 20 KB/s. */
export const DELIVERY_MS = 30_000

/** No token of a known vocabulary is longer. A prompt with more bytes per token of context cannot fit. */
export const MAX_BYTES_PER_TOKEN = 128
/** The service time that the queue assumes before the first answer. */
export const INITIAL_SERVICE_MS = 5_000
/** Weight of the newest answer in the moving average of service times: about the last twelve count. */
export const SERVICE_TIME_WEIGHT = 0.15
/** The pause that a node asks of a caller while its engine restarts: the time to load a model from the page cache. */
export const RESTART_RETRY_MS = 2_000

/** A relay's connections: one for each reservation, and the rest for clients that connect for a short time. */
export const RELAY_CONNECTIONS = 2048
/** Reservations that a relay grants. A handful of homes would fill libp2p's default of 15. */
export const RELAY_RESERVATIONS = 512
/** Streams of one connection of a relay. Each relayed connection is one stream for as long as it is open. */
export const RELAY_STREAMS = 128
/**
 * One relayed connection: 1 GiB and 2 h. A token stream takes a few KB/s, so this is enough for a day of chat,
 * but not for bulk traffic. libp2p's default of 128 KiB cuts an answer of about 1,500 tokens.
 */
export const RELAYED_BYTES: bigint = 1n << 30n
export const RELAYED_DURATION_MS: number = 2 * 60 * 60 * 1000
/**
 * The number of relays on which a node without a public address makes a reservation. With two, one of them can fail.
 */
export const RELAY_RESERVATIONS_WANTED = 2

/**
 * Inbound connections per second from one address, and handshakes in progress. libp2p's defaults of 5 and 10
 * refused 11 of 16 simultaneous dials. All devices of a household share the router's address (32). On a LAN or in a
 * testnet all peers may share one address (256). A handshake costs about 2 ms of processor time.
 */
export const INBOUND_CONNECTIONS: Record<Scope, { perSecond: number; pending: number }> = {
  public: { perSecond: 32, pending: 64 },
  local: { perSecond: 256, pending: 256 }
}

/**
 * The most cards of other peers that a peer stores: up to 16 KiB each, usually about 1 KiB. The DHT keeps twenty copies
 * of each card, spread over its servers, so this is enough for a network of 200 nodes for each server.
 */
export const MAX_STORED_CARDS = 4_096

/**
 * A node closes a connection whose ping takes longer. A ping waits behind the window of an answer, 256 KiB, which
 * takes 8 s at 256 kbit/s. libp2p's 5 s would cut answers on slow connections.
 */
export const PING_TIMEOUT_MS = 15_000

/**
 * The longest time from the connection to a bootstrap peer until it reports its protocols. libp2p asks once, for 5 s.
 */
export const IDENTIFY_WAIT_MS = 10_000
/** Pause before the node dials a bootstrap address again. It doubles after each failure, from `first` to `last`. */
export const BOOTSTRAP_RETRY_MS: { first: number; last: number } = { first: 500, last: 60_000 }
/** With this many connections the DHT needs no bootstrap peer, so the node does not dial a lost one again. */
export const ENOUGH_CONNECTIONS = 16

/**
 * Delay before a new peer of the DHT looks for its neighbours. All its other queries wait for this query. The query
 * itself waits for a first peer, so libp2p's default of one second would only delay the first card.
 */
export const FIRST_SELF_QUERY_MS = 50

/** Pause before the node publishes its card again after a failure or a change. It doubles from `first` to `last`. */
export const PUBLISH_RETRY_MS: { first: number; last: number } = { first: 1_000, last: 10 * 60_000 }
/** Delay from a change until the node publishes it, so that several changes at once cause one publication. */
export const PUBLISH_DELAY_MS = 100
/** Timeout of one publication of the card and the provider records. A DHT query across the world takes seconds. */
export const PUBLISH_TIMEOUT_MS = 60_000
/**
 * Timeout for publishing the tombstone of a node that shuts down. It is optional, so it must not delay the shutdown.
 */
export const WITHDRAW_TIMEOUT_MS = 3_000
/** A tombstone must be valid for longer than clients cache a card. */
export const TOMBSTONE_TTL_MS: number = 10 * 60 * 1000
/** How long measuring the engine's rates at the start should take, and how many answers it measures at most. */
export const MEASURE_MS = 1_500
export const MEASURE_RUNS = 5
/** The most that the measurement may take: enough for a small prompt on a processor that is too slow for its model. */
export const MEASURE_LIMIT_MS = 10_000

/**
 * Timeout of a request to the control socket or the metrics port. A local program that takes longer does not respond.
 */
export const LOCAL_REQUEST_TIMEOUT_MS = 5_000
/** The most bytes of the owner's audit job, which is an audit request in Base64 and the answer's text. */
export const MAX_AUDIT_JOB_BYTES: number = 4 * MAX_FRAME_BYTES
