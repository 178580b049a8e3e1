/** Every number of the selection, each with its reason. Times in milliseconds. */

/** Of nodes ordered by requests in flight, those above this quantile are hot. Prequal's own: 2^-0.25. */
export const HOT_QUANTILE: number = 0.84
/** The least reliability a draw may give: dividing by it must not make a time endless. */
export const LEAST_RELIABILITY: number = 0.02
/** A probationary peer below this is tried last: it cut two answers, say, and completed none. */
export const FAILING_RELIABILITY: number = 0.2

/** Half-life of a told load: an answer takes seconds, and in its time the queue is another one. */
export const LOAD_HALF_LIFE_MS: number = 10_000

/**
 * How many times longer an answer may take with the node that holds the conversation's beginning.
 * What is evaluated twice is lost to everybody; a caller hardly feels half as much again.
 */
export const PREFIX_PATIENCE: number = 4

/** How many times quicker another node has to look before a place in a queue is given up for it. */
export const MOVE_GAIN: number = 1.3
/** How many predicted prefills a first token may take before it is overdue: the node told less than its true wait. */
export const OVERDUE_FACTOR: number = 3
/** Places that one request may give up: each is a round trip, and work for the node that rendered the prompt. */
export const MAX_MOVES: number = 3
/** Nodes that a waiting request asks for their load, and how often while it waits: a card is a small frame. */
export const LOOK_AROUND: number = 3
export const LOOK_AROUND_MS: number = 1_000

/**
 * Hedges for each request that was sent: a second prefill costs the network as much as the first,
 * and a hedge for every slow answer would double the load just when there is too much of it.
 */
export const HEDGE_SHARE: number = 0.03
/** Hedges that may be saved up: a burst of slow answers, not a storm. */
export const HEDGE_BURST: number = 2
/** A hedge comes when the first token is later than this quantile of our recent waits, against their prediction. */
export const HEDGE_QUANTILE: number = 0.95
/** How far one wait moves that quantile, on a logarithm: twenty waits double it at most, and it stays within some 10 %. */
export const HEDGE_STEP: number = 0.2
/** Waits before the quantile means anything; until then nothing is hedged. */
export const HEDGE_LEAST_SAMPLES: number = 20
/** Sooner than this nothing is hedged: a round trip's jitter is not a straggler. */
export const HEDGE_LEAST_MS: number = 300

/** The longest a node's own retry-after is obeyed; a node must not put itself away for a day by mistake. */
export const MAX_RETRY_AFTER_MS: number = 60_000
/** After a refusal that named no time; doubled with each one in a row. */
export const FIRST_BACKOFF_MS: number = 500

/** Nodes whose refusals are remembered: one that was forgotten is asked again, and refuses again. */
export const MAX_BACKOFFS: number = 1_024

/** Prefixes remembered: one for each conversation of a gateway with a thousand users. */
export const MAX_PREFIXES: number = 4_096
/** Age at which a node has most likely evaluated something else in that slot. */
export const PREFIX_TTL_MS: number = 15 * 60_000
