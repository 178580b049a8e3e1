/** Every number of the selection, with its reason. Times are in milliseconds. */

/**
 * A node is hot if its requests in flight are above this quantile of all candidates. Prequal uses the same: 2^-0.25.
 */
export const HOT_QUANTILE: number = 0.84
/** Lower bound of a random draw of the reliability. The predicted time is divided by the draw. */
export const LEAST_RELIABILITY: number = 0.02
/** A probationary peer below this reliability is asked last: for example after two cut answers and no complete one. */
export const FAILING_RELIABILITY: number = 0.2

/** Half-life of a reported load. An answer takes seconds, and the queue changes in that time. */
export const LOAD_HALF_LIFE_MS: number = 10_000

/**
 * The client prefers the node that has the conversation's prefix in its cache, as long as the predicted time there is
 * at most this many times the best predicted time. A second evaluation of the prefix costs the whole network, and the
 * caller hardly notices a slower answer.
 */
export const PREFIX_GAIN: number = 4

/** Another node must look this many times faster before a request gives up its place in a queue. */
export const MOVE_GAIN: number = 1.3
/**
 * When the reported wait is over, the prefill begins. If the first token then takes this many times the predicted
 * prefill, it is overdue: the request probably still waits, and the node reported too short a wait.
 */
export const OVERDUE_FACTOR: number = 3
/** The most moves of one request. Each costs a round trip, and wastes the rendering of the prompt on the first node. */
export const MAX_MOVES: number = 3
/** A waiting request asks this many other nodes for their load at once. A card is a small frame. */
export const LOOK_AROUND: number = 3
/** The time between two such rounds. */
export const LOOK_AROUND_MS: number = 1_000

/**
 * Hedges per request. A second prefill costs the network as much as the first, and a hedge for every slow answer would
 * double the load when the load is already too high.
 */
export const HEDGE_SHARE: number = 0.03
/** The most unused hedges that the client saves for a burst of slow answers. */
export const HEDGE_BURST: number = 2
/** A hedge is sent when the ratio of wait to prediction exceeds this quantile of the recent ratios. */
export const HEDGE_QUANTILE: number = 0.95
/**
 * Step size of that quantile, as a logarithm. One wait above it raises it by 21 %, one wait below it lowers it by 1 %.
 */
export const HEDGE_STEP: number = 0.2
/** First tokens that the client must have observed before it uses that quantile. */
export const HEDGE_LEAST_SAMPLES: number = 20
/**
 * Before that, a hedge is sent when the wait exceeds this many times the prediction, and `HEDGE_FIRST_LEAST_MS`. The
 * prediction then rests on what the cards claim, which is often wrong by a factor of two.
 */
export const HEDGE_FIRST_FACTOR: number = 3
/** A new client first dials the node and learns what a usual round trip is. */
export const HEDGE_FIRST_LEAST_MS: number = 1_000
/** Unused hedges of a new client: without any, a command that sends one request could never send a hedge. */
export const HEDGE_FIRST_BUDGET: number = 1
/** The client sends no hedge before this time, because the jitter of a round trip can explain a shorter delay. */
export const HEDGE_LEAST_MS: number = 300

/** The longest retry-after that the client obeys. By mistake, a node could otherwise exclude itself for a day. */
export const MAX_RETRY_AFTER_MS: number = 60_000
/** The pause after a refusal without a retry-after. It doubles with each refusal in a row. */
export const FIRST_BACKOFF_MS: number = 500

/**
 * Nodes whose refusals the client remembers. If it forgets one, it asks that node again, and the node refuses again.
 */
export const MAX_BACKOFFS: number = 1_024

/** Prefixes that the client remembers: one for each conversation of a gateway with some thousands of users. */
export const MAX_PREFIXES: number = 4_096
/** After this age a node has probably used the slot for another conversation. */
export const PREFIX_TTL_MS: number = 15 * 60_000
