import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../../constants.ts'

/** What a sequence asks for. */
export interface Demand {
  /** Tokens to evaluate, at least 1. More than 1 are tokens of a prompt. */
  left: number
  /** Tokens of the prompt that are already evaluated, without those from the cache. */
  done: number
  /** The same number for prompts that began at about the same time. */
  cohort: number
}

/** The shares of an evaluation. */
export interface Division {
  /** The tokens of each sequence, in the order of the demands; 0 for a prompt that must wait. */
  shares: number[]
  /** The number of tokens that belong to prompts. */
  prompts: number
}

/** Decides how many tokens of prompts go into an evaluation. */
export class SlicePace {
  #tokens = FIRST_SLICE_TOKENS

  /**
   * Gives each answer one token, and each prompt an equal share of a slice. If a prompt needs less than its share, the
   * others get the rest.
   *
   * Within a cohort, the first prompts wait until the later ones have the same number of tokens evaluated. So requests
   * that arrive milliseconds apart begin to answer together. A step for one sequence costs almost half as much as a step for
   * eight, so separate steps waste time (8 streams on a 0.5B model: 65 tokens per second separately, 70 together). Prompts do not
   * wait for requests that arrive later; otherwise a busy node would serve only the newest.
   */
  divide(demands: readonly Demand[]): Division {
    const prompts = [...demands.keys()].filter((index) => demands[index]!.left > 1)
    const shares: number[] = demands.map(({ left }) => (left > 1 ? 0 : 1))
    const least = new Map<number, number>()
    for (const index of prompts) {
      const { cohort, done } = demands[index]!
      least.set(cohort, Math.min(done, least.get(cohort) ?? done))
    }
    const lead = (index: number): number => demands[index]!.done - least.get(demands[index]!.cohort)!
    const last = prompts.filter((index) => lead(index) === 0)
    const level = Math.min(...prompts.map(lead).filter((tokens) => tokens > 0))
    last.sort((a, b) => demands[a]!.left - demands[b]!.left)
    let whole = this.#whole
    for (const [place, index] of last.entries()) {
      const { left } = demands[index]!
      const share = Math.min(Math.max(1, Math.floor(whole / (last.length - place))), level)
      if (left >= share) {
        // All later ones get the same share, because llama.cpp evaluates the excess of a larger share separately.
        for (const rest of last.slice(place)) shares[rest] = share
        break
      }
      shares[index] = left
      whole -= left
    }
    return { shares, prompts: prompts.reduce((sum, index) => sum + shares[index]!, 0) }
  }

  /** Adjusts the next slices, so that an evaluation takes `PREFILL_SLICE_MS`. `tokens` are those of prompts. */
  observe(tokens: number, elapsedMs: number): void {
    // The end of a prompt is smaller than a slice, and costs more per token.
    if (tokens < this.#whole && elapsedMs <= PREFILL_SLICE_MS) return
    const ideal = (tokens * PREFILL_SLICE_MS) / Math.max(elapsedMs, 0.1)
    const step = Math.min(Math.max(ideal, this.#tokens / 2), this.#tokens * 2)
    this.#tokens = Math.min(Math.max(step, LEAST_SLICE_TOKENS), BATCH_TOKENS)
  }

  get #whole(): number {
    if (this.#tokens < SLICE_STEP_TOKENS) return LEAST_SLICE_TOKENS
    return Math.floor(this.#tokens / SLICE_STEP_TOKENS) * SLICE_STEP_TOKENS
  }
}
