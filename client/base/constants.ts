/** The limits of the client, each with its reason. Times are in milliseconds. */

/** Nodes found in one lookup: Kademlia's own `k` of 20, and as many entry peers. */
export const MAX_PROVIDERS: number = 40
/**
 * Peers asked in one lookup, including those that are gone. Records outlive nodes by a day, and an attacker can invent
 * more. Slow peers are bounded by the lookup's time.
 */
export const MAX_ASKED: number = 400
/** Cards asked for at the same time. A home router's connection table is small, and dials cost CPU. */
export const PARALLEL_CARDS: number = 8
/**
 * After this, another peer is asked beside one that has not sent its card. An address that drops every packet takes all
 * of `CARD_TIMEOUT_MS`, and eight of them would delay every peer behind them.
 */
export const SLOW_CARD_MS: number = 1_000
/** From the dial to the card. A relayed dial takes several round trips. A dead address takes all of it. */
export const CARD_TIMEOUT_MS: number = 5_000
/** A whole lookup: the DHT walk and the cards of the nodes that it found. */
export const LOOKUP_TIMEOUT_MS: number = 10_000
/** The DHT walk for one card. It is made only for a provider that could not be reached. */
export const CARD_RECORD_TIMEOUT_MS: number = 3_000
/** After the first usable card, the choice waits this long for more cards. */
export const GATHER_MS: number = 60
/** A lookup older than this is still used, but a new one starts beside it. */
export const LOOKUP_REFRESH_MS: number = 60_000
/** A card older than this is asked for again by the next lookup that finds its node. */
export const CARD_REFRESH_MS: number = 15_000
/** A card older than this serves no request. Nodes disappear without notice; rates and models hardly change. */
export const CARD_USABLE_MS: number = 5 * 60_000
/** Lookups remembered: one for each model that was asked for. */
export const MAX_LOOKUPS: number = 256
/** Cards remembered. */
export const MAX_CARDS: number = 2_048

/** A node on the LAN answers mDNS at once. The query is repeated only after 10 s. */
export const LAN_WAIT_MS: number = 4_000
/** LAN peers that mDNS can make the client dial. Any device on the LAN can claim to be thousands of peers. */
export const MAX_LAN_PEERS: number = 16
/**
 * Outbound streams on one connection. libp2p's default of 64 is less than the callers of one gateway that ask the same
 * node. The node's own limits must be the ones that refuse.
 */
export const MAX_OUTBOUND_STREAMS: number = 1_024

/** Failed attempts after which a request fails. */
export const MAX_ATTEMPTS: number = 8
/** If every node is busy, the client waits at most this long and asks again. For a longer wait the answer fails at once. */
export const MAX_BUSY_WAIT_MS: number = 10_000

/** Answer tokens if the caller set no limit and the context has room. */
export const DEFAULT_MAX_TOKENS: number = 1_024
/** Characters per token in an estimate. English is near 4. */
export const CHARACTERS_PER_TOKEN: number = 4
/** A lower bound of the same for code, small vocabularies and most other scripts. */
export const LEAST_CHARACTERS_PER_TOKEN: number = 2
/** The expected length of an answer, in tokens, before anything is known of it. */
export const TYPICAL_ANSWER_TOKENS: number = 256
/** Fewer tokens per second than this are slower than most people read. */
export const READABLE_TOKENS_PER_SECOND: number = 8
/** Dialling one address. Several dead addresses in a row must leave time for the one that works. */
export const ADDRESS_DIAL_TIMEOUT_MS: number = 2_500
/**
 * After this a relayed address is dialled beside a direct one. A direct connection takes four round trips of TCP, Noise
 * and Yamux, which are 400 ms across an ocean.
 */
export const DIRECT_HEAD_START_MS: number = 500
/** kad-dht's tag for a peer in the routing table. A query needs such a peer to start from. */
export const KAD_PEER_TAG: string = 'kad-peer'
