/** The limits of the client, each with its reason. Times are in milliseconds. */

/** The most nodes that one lookup finds: Kademlia's `k` of 20, and up to 20 entry peers. */
export const MAX_PROVIDERS: number = 40
/**
 * The most peers that one lookup asks, including peers that are gone: the DHT keeps a record for up to two days, and an
 * attacker can invent more. `LOOKUP_TIMEOUT_MS` bounds the time that slow peers cost.
 */
export const MAX_ASKED: number = 400
/** Peers that one lookup asks at the same time. A home router's connection table is small, and dials cost CPU. */
export const PARALLEL_CARDS: number = 8
/**
 * If a peer has not sent its card after this time, it no longer counts towards `PARALLEL_CARDS`, and the lookup asks
 * the next peer too. Otherwise eight dead addresses that drop every packet would block the lookup for
 * `CARD_TIMEOUT_MS`.
 */
export const SLOW_CARD_MS: number = 1_000
/** From the dial to the card. A relayed dial takes several round trips. A dead address takes the whole timeout. */
export const CARD_TIMEOUT_MS: number = 5_000
/** A whole lookup: the DHT walk and the cards of the nodes that it found. */
export const LOOKUP_TIMEOUT_MS: number = 10_000
/** The DHT walk for one card. The client does it only for a provider that it cannot reach. */
export const CARD_RECORD_TIMEOUT_MS: number = 3_000
/** After the first suitable card, the client waits this long for more cards before it chooses. */
export const GATHER_MS: number = 60
/** If the last lookup is older than this, the client uses its nodes and starts a new lookup at the same time. */
export const LOOKUP_REFRESH_MS: number = 60_000
/** If a card is older than this, the next lookup that finds the node asks for its card again. */
export const CARD_REFRESH_MS: number = 15_000
/** The client does not use an older card. Nodes disappear without notice; rates and models hardly change. */
export const CARD_USABLE_MS: number = 5 * 60_000
/** Lookups that the client remembers: one for each model that a caller asked for. */
export const MAX_LOOKUPS: number = 256
/** Cards that the client remembers. */
export const MAX_CARDS: number = 2_048

/**
 * How long the client waits for peers on the LAN. A node answers mDNS at once; the query is repeated only after 10 s.
 */
export const LAN_WAIT_MS: number = 4_000
/** The most LAN peers that the client dials. Any device on the LAN can claim to be thousands of peers. */
export const MAX_LAN_PEERS: number = 16
/**
 * Outbound streams on one connection. A gateway can have more callers at the same node than libp2p's default of 64. The
 * limits of the node decide what to refuse, not this one.
 */
export const MAX_OUTBOUND_STREAMS: number = 1_024

/** A request fails after this many failed attempts. */
export const MAX_ATTEMPTS: number = 8
/**
 * If every node is busy, the client waits at most this long and asks again. If the pause is longer, the request fails
 * at once.
 */
export const MAX_BUSY_WAIT_MS: number = 10_000

/** The limit of answer tokens if the caller set none and the context has room. */
export const DEFAULT_MAX_TOKENS: number = 1_024
/** Characters per token in an estimate. English is near 4. */
export const CHARACTERS_PER_TOKEN: number = 4
/** A lower bound of the characters per token, for code, small vocabularies and most other scripts. */
export const LEAST_CHARACTERS_PER_TOKEN: number = 2
/** The expected length of an answer before it begins, in tokens. */
export const TYPICAL_ANSWER_TOKENS: number = 256
/** The speed at which most people read, in tokens per second. */
export const READABLE_TOKENS_PER_SECOND: number = 8
/** Timeout for one address. After several dead addresses there must be time left for a working one. */
export const ADDRESS_DIAL_TIMEOUT_MS: number = 2_500
/**
 * If no direct address is connected after this time, the client dials the relayed addresses too. A direct connection
 * takes four round trips of TCP, Noise and Yamux, which are 400 ms across an ocean.
 */
export const DIRECT_HEAD_START_MS: number = 500
/**
 * Cards that the client asks for again when its machine was suspended. The old loads say nothing, but more replies
 * would delay the request that woke the client.
 */
export const CARDS_AFTER_SUSPENSION: number = 16
/**
 * When this share of a relay's limit of bytes or time is left, the client leaves the connection. For the usual limits
 * of 128 KiB and 2 minutes: 8 KiB, which are some 80 tokens, and 7.5 s.
 */
export const RELAY_RESERVE: number = 1 / 16
/**
 * If a stream is cut while at most this share of the relay's bytes is left, or at most `RELAY_CUT_BYTES`, the relay has
 * cut it. The relay also counted bytes that never arrived.
 */
export const RELAY_CUT_SHARE: number = 1 / 4
/** A burst of tokens that the relay counted and did not send on. */
export const RELAY_CUT_BYTES: number = 16 * 1024
/**
 * An attempt with fewer tokens than this counts as failed when it ends at a relay's limit. Otherwise a relay with a
 * limit of a few tokens could delay an answer for ever.
 */
export const RELAY_LEAST_TOKENS: number = 8

/** kad-dht's tag for a peer in the routing table. A query needs such a peer to start from. */
export const KAD_PEER_TAG: string = 'kad-peer'
