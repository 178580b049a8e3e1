/** Every bound of the client, each with its reason. Times in milliseconds. */

/** Nodes found in one lookup: Kademlia's own `k` of 20, and as many entrances to the network. */
export const MAX_PROVIDERS: number = 40
/**
 * Peers asked in one lookup, those included that are no nodes or gone: records outlive nodes by a day, and whoever
 * wants nobody to be found can make up more. What is slow to ask is bounded by the lookup's time.
 */
export const MAX_ASKED: number = 400
/** Cards asked for at once. A home router's connection table is small, and dials cost CPU. */
export const PARALLEL_CARDS: number = 8
/**
 * After this, others are asked beside a peer that has not given its card: an address that swallows what is sent takes
 * all of `CARD_TIMEOUT_MS`, and eight of them would hold up whoever stands behind them.
 */
export const SLOW_CARD_MS: number = 1_000
/** From the dial to the card. A relayed dial takes several round trips; a dead address takes all of it. */
export const CARD_TIMEOUT_MS: number = 5_000
/** A whole lookup: the walk of the DHT and the cards of whoever was found. */
export const LOOKUP_TIMEOUT_MS: number = 10_000
/** The walk for one card on the DHT, made only for a provider that could not be reached. */
export const CARD_RECORD_TIMEOUT_MS: number = 3_000
/** After the first usable card, how long others may still arrive before the choice is made. */
export const GATHER_MS: number = 60
/** Age at which what a lookup found is still used, but looked up again beside it. */
export const LOOKUP_REFRESH_MS: number = 60_000
/** Age at which a card is asked for again by the next lookup that meets it. */
export const CARD_REFRESH_MS: number = 15_000
/** Age up to which a card may serve a request. Nodes leave without a word; rates and models hardly change. */
export const CARD_USABLE_MS: number = 5 * 60_000
/** Lookups remembered: one for each model that somebody asked for. */
export const MAX_LOOKUPS: number = 256
/** Cards remembered. */
export const MAX_CARDS: number = 2_048

/** A node on the LAN answers mDNS at once; the question is repeated only after 10 s. */
export const LAN_WAIT_MS: number = 4_000
/** LAN peers that mDNS may make us dial: anything on the LAN can claim to be thousands of peers. */
export const MAX_LAN_PEERS: number = 16
/**
 * Streams for requests on one connection. libp2p's default of 64 is less than a gateway's callers
 * who all ask the same node; that node's own limits are what should refuse.
 */
export const MAX_OUTBOUND_STREAMS: number = 1_024

/** Nodes that one request may try. */
export const MAX_ATTEMPTS: number = 8
/** When every node is busy, the longest wait before they are asked once more; beyond it the answer fails at once. */
export const MAX_BUSY_WAIT_MS: number = 10_000

/** Answer tokens where the caller set no limit and the context has room. */
export const DEFAULT_MAX_TOKENS: number = 1_024
/** Characters a token stands for, in an estimate: English is near 4. */
export const CHARACTERS_PER_TOKEN: number = 4
/** The same, cautiously: code, small vocabularies and most other scripts stay above it. */
export const LEAST_CHARACTERS_PER_TOKEN: number = 2
/** Tokens by which answers are compared before anything of them is known. */
export const TYPICAL_ANSWER_TOKENS: number = 256
/** Decoding below this many tokens per second is slower than most people read. */
export const READABLE_TOKENS_PER_SECOND: number = 8
/** One address of a peer. Several dead ones in a row have to leave time for the one that works. */
export const ADDRESS_DIAL_TIMEOUT_MS: number = 2_500
/**
 * After this a relayed address is dialled beside a direct one. A direct connection takes four round trips of TCP, Noise
 * and Yamux: 400 ms to the other side of an ocean.
 */
export const DIRECT_HEAD_START_MS: number = 500
/** What kad-dht tags a peer with once it stands in the routing table: the sign that queries have where to start. */
export const KAD_PEER_TAG: string = 'kad-peer'
