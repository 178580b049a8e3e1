/** Every limit of the engine, with its reason. Times are in milliseconds. */

/** Generations at once. Each holds a context of its own in memory, so a home machine affords a few. */
export const DEFAULT_SLOTS = 4
/**
 * Tokens of a slot's context unless told otherwise, or the model's own if that is less: four slots of
 * an 8B model's context then take 4 GiB, which train contexts of 128 Ki would multiply by sixteen.
 */
export const DEFAULT_CONTEXT_LENGTH = 8192

/**
 * Conversations that a node remembers beside those in its slots, unless told otherwise. Of a chat's later
 * turns so many find their prefix (`npm run simulate -- selection --seeds 6`): without 7 %, with 8 64 %, 16 84 %,
 * 32 90 %, 44 92 %; the rest goes to other nodes, as theirs are busy or gone.
 */
export const MOST_REMEMBERED = 48
/** Of the memory that is free beside model and slots: other programs, and a context for embeddings, want some too. */
export const SHARE_FOR_MEMORY = 0.5
/** Sequences of a context; llama.cpp's LLAMA_MAX_SEQ. */
export const MOST_SEQUENCES = 256
/**
 * A copy between sequences takes the whole context along; it is made for a prefix of at least this part
 * of it. Measured on one thread: a context of crumb's 1,024 tokens takes 0.3 ms, as long as the prefill of
 * one token, and 2,048 tokens of 0.5B (38 MB) 8 ms, less than one. Back and forth, it saves eight times its cost.
 */
export const CONTEXT_PER_COPY = 64
/** A prefix that is shorter is not worth the wait for the context's lock. */
export const LEAST_COPIED_TOKENS = 16
/** With which a template opens an answer: what a prompt ends with and the next one need not contain. */
export const OPENING_TOKENS = 8

/**
 * Least time between two messages about one generation; a reader cannot see it. 50 tokens a second then go out one by
 * one; at 2,000 a second a message carries 40. Each costs node and client together some 0.7 ms of processor time,
 * whatever it carries.
 */
export const DELTA_INTERVAL_MS = 20

/** Longest that an event waits for a round to begin, where none does. */
export const OUTBOX_MS = 2

/** So many crashes within the window and the engine stays down: it is the model, not bad luck. */
export const CRASH_LIMIT = 3
export const CRASH_WINDOW_MS = 60_000
/** Wait before the first restart; doubles with each crash in the window. */
export const RESTART_DELAY_MS = 250
/** Bytes kept of what the engine's process last wrote to stderr, where native assertions go. */
export const STDERR_TAIL_BYTES = 4096

/**
 * A prefill cannot be interrupted inside one evaluation. Slices of at most this length keep an abort
 * within 200 ms, with the messages to and from the process; shorter ones cost more a token.
 */
export const PREFILL_SLICE_MS = 195
/** The first slice, before anything was measured: 0.8 s on the slowest machine we can imagine. */
export const FIRST_SLICE_TOKENS = 16
/**
 * Slices are multiples of this: llama.cpp's matrix kernels work in tiles, and slices of 24 cost as
 * much a token as slices of 16. Measured for 128 tokens on 0.5B Q4_0, one thread: in slices of 8
 * 638 ms, 16 499, 24 507, 32 460, 48 445, 64 435, whole 430.
 */
export const SLICE_STEP_TOKENS = 16
/**
 * Tokens that llama.cpp's matrix kernels take together at least; what is left over goes one by one, at the price of a
 * token by itself. 127 tokens of a prompt cost 7 % more than 128, so the cache is used to where such a rest begins.
 */
export const KERNEL_ROWS = 4
/** Rounds after a prefill's first in which others that begin are brought level with it: they came while it ran. */
export const COHORT_ROUNDS = 2
/** Below this a slice costs nearly as much as a token by itself. */
export const LEAST_SLICE_TOKENS = 8
/** Tokens of one evaluation; llama.cpp's own default, and beyond it nothing gets faster. */
export const BATCH_TOKENS = 512

/** A model smaller than this runs on one thread: with two, the threads' meetings cost more than they save. */
export const ONE_THREAD_MODEL_BYTES: number = 64 * 1024 * 1024

/** Sets of allowed tokens that are kept: 19 KB each with a vocabulary of 150,000. */
export const MASKS_KEPT = 512
/** Bytes tried for one such set; some 200 ms, in which no other answer goes on. An honest schema needs a tenth. */
export const MASK_STEPS = 1_000_000
/** Grammars that are kept: an application sends one schema again and again. */
export const GRAMMARS_KEPT = 64
/** Native samplers of one slot that have a set of allowed tokens: 3 MB each with a vocabulary of 150,000. */
export const MASKED_SAMPLERS = 4

/** Tokens of a text that gets a vector: longer ones are cut by whoever searches in them. 0.25 GiB for an 8B model. */
export const EMBED_CONTEXT_LENGTH = 2048
