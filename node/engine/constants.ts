/** Every limit of the engine, with its reason. Times are in milliseconds. */

/** Generations at once. Each holds a context of its own in memory, so a home machine affords a few. */
export const DEFAULT_SLOTS = 4
/**
 * Tokens of a slot's context unless told otherwise, or the model's own if that is less: four slots of
 * an 8B model's context then take 4 GiB on a GPU, and 8 GiB in the memory of a processor. Train contexts
 * of 128 Ki would take sixteen times that.
 */
export const DEFAULT_CONTEXT_LENGTH = 8192

/**
 * Least time between two messages about one generation. 100 tokens a second then go out one by
 * one; at 2,000 a second a message carries 16, and a reader cannot see 8 ms.
 */
export const DELTA_INTERVAL_MS = 8

/** So many crashes within the window and the engine stays down: it is the model, not bad luck. */
export const CRASH_LIMIT = 3
export const CRASH_WINDOW_MS = 60_000
/** Wait before the first restart; doubles with each crash in the window. */
export const RESTART_DELAY_MS = 250
/** Bytes kept of what the engine's process last wrote to stderr, where native assertions go. */
export const STDERR_TAIL_BYTES = 4096

/**
 * A prefill cannot be interrupted inside one evaluation. Slices of this length keep an abort within
 * 200 ms, with the slice that runs and the batch it may have to wait for.
 */
export const PREFILL_SLICE_MS = 80
/** The first slice, before anything was measured: 16 tokens take 0.8 s on the slowest machine we can imagine. */
export const FIRST_SLICE_TOKENS = 16
/** Below this a slice costs nearly as much as a token by itself. */
export const LEAST_SLICE_TOKENS = 8
/**
 * How long another node's answer may be evaluated token by token, so that it goes on as it would have there: not much
 * more than a reader notices. A longer one is evaluated in slices and may take another turn at a near tie.
 */
export const REPLAY_MS = 500
/** Tokens of one evaluation; llama.cpp's own default, and beyond it nothing gets faster. */
export const BATCH_TOKENS = 512

/** A model smaller than this runs on one thread: with two, the threads' meetings cost more than they save. */
export const ONE_THREAD_MODEL_BYTES: number = 64 * 1024 * 1024

/**
 * Type of the KV cache on a processor. With it, evaluating a token by itself and in a slice of a prompt gave the very
 * same logits at 400 of 400 positions of crumb; with F16 they differed by 0.06 at the 99th percentile, enough to turn
 * one token in some 500. So an answer goes on exactly where another node left it, and an audit sees no noise. It
 * costs twice the memory.
 */
export const EXACT_KV_TYPE = 'F32' as const
/** On a GPU the cache is the scarce memory, and batches of other sizes differ in any case. */
export const GPU_KV_TYPE = 'F16' as const
