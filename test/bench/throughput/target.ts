/** One of the systems that the throughput benchmark compares. */
export interface Target {
  /** "own-sampler", "contract", "network" or "against". */
  readonly name: string
  /** Answers all prompts at once, each with exactly this many tokens. Resolves when the last answer is complete. */
  run: (prompts: readonly Prompt[], tokens: number, signal: AbortSignal) => Promise<void>
  /** The process that evaluates the model, if this benchmark started it. */
  readonly pid?: number | undefined
  close: () => Promise<void>
}

export interface Prompt {
  text: string
  tokens: readonly number[]
}

/** The model that all targets run. */
export interface BenchModel {
  path: string
  slots: number
  contextLength: number
  threads: number
  /** Conversations that the node remembers. Default: as many as fit into memory. */
  remember?: number
  /** `own-sampler` stores keys in the library's default type instead of our engine's. Default false. */
  inexact?: boolean
}
