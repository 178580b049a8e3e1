/** One of those that a throughput benchmark compares. */
export interface Contender {
  /** "own-sampler", "contract", "network" or "against". */
  readonly name: string
  /** Answers all prompts at once, each with exactly this many tokens; resolves when the last is complete. */
  run: (prompts: readonly Prompt[], tokens: number, signal: AbortSignal) => Promise<void>
  close: () => Promise<void>
}

export interface Prompt {
  text: string
  tokens: readonly number[]
}

/** The model that all of them run. */
export interface BenchModel {
  path: string
  slots: number
  contextLength: number
  threads: number
  /** own-sampler keeps keys as the library would. Default false: as our engine does. */
  inexact?: boolean
}
