/**
 * Every limit of a node, with its reason. Times are in milliseconds, sizes in bytes.
 * Those in `NodeLimits` may be set by the owner; the others follow from the protocol.
 */
import { CREDIT_TIMEOUT_MS, CREDIT_WINDOW, REQUEST_READ_TIMEOUT_MS, type Scope } from '@potluck/protocol'

export interface NodeLimits {
  /** Requests that wait, for each slot. Default 8: behind eight answers a caller does better elsewhere. */
  queuedPerSlot: number
  /**
   * Streams that one peer may have open, be they read, queued or answered. Default 16: a gateway with a
   * busy household behind it, and less than the queue of a node with two slots.
   */
  streamsPerPeer: number
  /**
   * Streams whose request has not arrived yet, over all peers. Default 64: an honest request arrives within
   * a round trip, and 64 unread frames of 2 MiB are what a node may have to hold. The one that has been
   * silent longest is cut for a probationary peer, so that silent streams cannot shut others out.
   */
  unreadStreams: number
  /** From the stream's opening to a whole request. Default of the protocol: 10 s. */
  requestReadTimeoutMs: number
  /** How long a caller without credit, or who does not read, may hold a slot. Default of the protocol: 30 s. */
  creditTimeoutMs: number
  /**
   * Requests that a peer may fail to see through to `done` (refused, broken, cut off) at once, and how many
   * it gets back a second. Default 64 and 2: a client with a loose retry loop stays below; a flood is cut
   * off at the door before a byte of it is read. Requests that are answered cost nothing.
   */
  patience: number
  patiencePerSecond: number
  /** How long running answers get after `drain()`. Default 2 min: some 1,500 tokens on a slow processor. */
  drainTimeoutMs: number
  /**
   * Connections in all. Default 96: a home router behind carrier-grade NAT runs out of ports with a few
   * hundred (kubo#11326), and a DHT of thousands of peers needs some 60.
   */
  connections: number
}

export const DEFAULT_LIMITS: NodeLimits = {
  queuedPerSlot: 8,
  streamsPerPeer: 16,
  unreadStreams: 64,
  requestReadTimeoutMs: REQUEST_READ_TIMEOUT_MS,
  creditTimeoutMs: CREDIT_TIMEOUT_MS,
  patience: 64,
  patiencePerSecond: 2,
  drainTimeoutMs: 120_000,
  connections: 96
}

/** Peers whose patience is remembered, the least recently seen forgotten first: some 400 KB. */
export const REMEMBERED_PEERS = 4096

/**
 * Inbound streams of one connection. Each may fill a window of 256 KiB before anybody looks at it, so
 * this bounds the memory of a connection, to 16 MiB by default. No protocol has a lower bound of its
 * own: of streams opened at once libp2p would reset all, and the peer would not hear why.
 */
export function streamsPerConnection({ streamsPerPeer }: Pick<NodeLimits, 'streamsPerPeer'>): number {
  return 2 * streamsPerPeer + OTHER_STREAMS_PER_CONNECTION
}
/** For the DHT, identify, ping and cards. */
const OTHER_STREAMS_PER_CONNECTION = 32
/** Connections of one peer: TCP, WebSocket, relayed, and a new one beside a dead one. */
export const CONNECTIONS_PER_PEER = 4
/** Writing a card or an error to a peer that does not read. */
export const SHORT_WRITE_TIMEOUT_MS = 10_000

/**
 * Tokens that the engine may compute ahead of the stream, whatever the caller granted: a caller that
 * grants and does not read must not fill the memory. As much as a caller grants in the usual course.
 */
export const ENGINE_LEAD_TOKENS: number = CREDIT_WINDOW

/** To take a refusal or a card and end one's side: a round trip or two, also through a relay. */
export const LINGER_MS = 2_000
/** The same after an answer: what lies in windows and buffers, half a MB at 20 KB/s, has to arrive before. */
export const DELIVERY_MS = 30_000

/** No token of a known vocabulary is longer: a longer prompt overflows the context without being counted. */
export const MAX_BYTES_PER_TOKEN = 128
/** Until an answer was served: what a slot is assumed to take for one. */
export const INITIAL_SERVICE_MS = 5_000
/** Weight of the newest answer in the running mean of service times: the last dozen count. */
export const SERVICE_TIME_WEIGHT = 0.15
/** What a node whose engine restarts asks a caller to wait: loading a model from the page cache. */
export const RESTART_RETRY_MS = 2_000

/** A relay's connections: one for each reservation, and as many clients that come and go. */
export const RELAY_CONNECTIONS = 2048
/** Reservations a relay grants; libp2p's 15 would fill with a handful of homes. */
export const RELAY_RESERVATIONS = 512
/** Streams of one connection of a relay: each relayed connection is one, and lives as long as it does. */
export const RELAY_STREAMS = 128
/**
 * One relayed connection: 1 GiB and 2 h. A token stream is a few KB/s, so this carries a day's chat, and
 * ends what is not one. libp2p's default of 128 KiB cuts an answer of some 1,500 tokens.
 */
export const RELAYED_BYTES: bigint = 1n << 30n
export const RELAYED_DURATION_MS: number = 2 * 60 * 60 * 1000
/** Relays on which a node without a public address reserves a place: one may fail. */
export const RELAY_RESERVATIONS_WANTED = 2

/**
 * Inbound connections per second from one address, and handshakes under way at once. libp2p's 5 and 10
 * refused 11 of 16 simultaneous dials. A household's router stands for all its devices (32); on a LAN or in
 * a testnet every peer may have the same address (256). A handshake costs about 2 ms of processor time.
 */
export const INBOUND_CONNECTIONS: Record<Scope, { perSecond: number; pending: number }> = {
  public: { perSecond: 32, pending: 64 },
  local: { perSecond: 256, pending: 256 }
}

/**
 * What a peer keeps of the DHT: cards of 16 KiB at most and some 1 KiB in fact, provider records of 100
 * bytes. A storer is responsible for its share of twenty copies, so this does for 50,000 nodes.
 */
export const MAX_STORED_CARDS = 4_096
export const MAX_STORED_PROVIDERS = 65_536

/**
 * A connection whose ping takes longer is given up. A ping waits behind the window of an answer, 256 KiB,
 * which takes 8 s at 256 kbit/s: libp2p's 5 s would end slow connections in mid-answer.
 */
export const PING_TIMEOUT_MS = 15_000

/** From a connection to a bootstrap peer to what it speaks: libp2p's own patience for that is 5 s, and once. */
export const IDENTIFY_WAIT_MS = 10_000
/** Wait before bootstrap addresses are dialled again: doubled from the first to the last. */
export const BOOTSTRAP_RETRY_MS: { first: number; last: number } = { first: 500, last: 60_000 }
/** With this many connections the DHT holds by itself, and a lost bootstrap peer is left in peace. */
export const ENOUGH_CONNECTIONS = 16

/**
 * Until a new peer of the DHT looks for its neighbours; all its other queries wait for that one. It waits
 * for a first peer by itself, so that libp2p's second would only delay the first card.
 */
export const FIRST_SELF_QUERY_MS = 50

/** One publication of the card and the provider records; a DHT query across the world takes seconds. */
export const PUBLISH_TIMEOUT_MS = 60_000
/** The tombstone of a node that leaves: a courtesy that must not hold up its end. */
export const WITHDRAW_TIMEOUT_MS = 3_000
/** A tombstone outlives the reader's caches, not the node's return. */
export const TOMBSTONE_TTL_MS: number = 10 * 60 * 1000
/** Provider records are valid for 48 h; the peers closest to a key change faster than that. */
export const PROVIDE_INTERVAL_MS: number = 12 * 60 * 60 * 1000

/** What measuring the engine's rates at start should take, and the answers that are measured at most. */
export const MEASURE_MS = 1_500
export const MEASURE_RUNS = 5
/** What it may take: a small prompt on a processor that is too slow for its model. */
export const MEASURE_LIMIT_MS = 10_000
