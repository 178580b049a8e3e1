/** Every number of the selection, with its reason. Times are in milliseconds. */

/** A node is hot if its requests in flight are above this quantile of all nodes. Prequal's own value: 2^-0.25. */
export const HOT_QUANTILE: number = 0.84
/** A draw of the reliability is at least this, because predicted times are divided by it. */
export const LEAST_RELIABILITY: number = 0.02
/** A probationary peer below this reliability is tried last, for instance after two cut answers and none complete. */
export const FAILING_RELIABILITY: number = 0.2

/** Half-life of a reported load. An answer takes seconds, and the queue changes in that time. */
export const LOAD_HALF_LIFE_MS: number = 10_000

/**
 * The node that holds the conversation's prefix is preferred while its answer takes at most this many times as long.
 * Evaluating a prefix twice costs the whole network; the caller hardly notices a slower answer.
 */
export const PREFIX_GAIN: number = 4

/** Another node must look this many times faster before a request gives up its place in a queue. */
export const MOVE_GAIN: number = 1.3
/** A first token is overdue after this many predicted prefills: the node reported less than its true wait. */
export const OVERDUE_FACTOR: number = 3
/** Moves of one request. Each costs a round trip, and the node rendered the prompt for nothing. */
export const MAX_MOVES: number = 3
/** A waiting request asks this many nodes for their load, this often. A card is a small frame. */
export const LOOK_AROUND: number = 3
export const LOOK_AROUND_MS: number = 1_000

/**
 * Hedges per request. A second prefill costs the network as much as the first, and a hedge for every slow answer would
 * double the load when the load is already too high.
 */
export const HEDGE_SHARE: number = 0.03
/** Hedges that can be saved up for a burst of slow answers. */
export const HEDGE_BURST: number = 2
/** A hedge is sent when the ratio of wait to prediction exceeds this quantile of the recent ratios. */
export const HEDGE_QUANTILE: number = 0.95
/** How far one wait moves the logarithm of that quantile: twenty waits at most double it, and it stays within about 10 %. */
export const HEDGE_STEP: number = 0.2
/** Waits that must be known before anything is hedged. */
export const HEDGE_LEAST_SAMPLES: number = 20
/** No hedge is sent sooner than this: the jitter of a round trip is not a straggler. */
export const HEDGE_LEAST_MS: number = 300

/** The client obeys a node's retry-after up to this. A node must not exclude itself for a day by mistake. */
export const MAX_RETRY_AFTER_MS: number = 60_000
/** The pause after a refusal without a retry-after. It doubles with each refusal in a row. */
export const FIRST_BACKOFF_MS: number = 500

/** Nodes whose refusals are remembered. A forgotten node is asked again, and refuses again. */
export const MAX_BACKOFFS: number = 1_024

/** Prefixes remembered: one for each conversation of a gateway with some thousands of users. */
export const MAX_PREFIXES: number = 4_096
/** After this age a node has probably used the slot for another conversation. */
export const PREFIX_TTL_MS: number = 15 * 60_000
