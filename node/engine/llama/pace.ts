import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../constants.ts'

/** What everybody gets of an evaluation. */
export interface Division {
  /** Tokens of each, in the order in which they were asked for. */
  shares: number[]
  /** How many of them are of prompts. */
  prompts: number
}

/** How many tokens of prompts go into an evaluation. */
export class SlicePace {
  #tokens = FIRST_SLICE_TOKENS

  /**
   * Answers get their token, prompts equal shares of a slice. A prompt that needs less leaves it to the others.
   *
   * @param wanted tokens that each has left, at least 1
   */
  divide(wanted: readonly number[]): Division {
    const shares = wanted.map(() => 1)
    const prompts = [...wanted.keys()].filter((index) => wanted[index]! > 1)
    prompts.sort((a, b) => wanted[a]! - wanted[b]!)
    let left = this.#whole
    for (const [place, index] of prompts.entries()) {
      const share = Math.floor(left / (prompts.length - place))
      if (wanted[index]! >= share) {
        // All that follow get as much: llama.cpp evaluates apart what some have more than others.
        for (const rest of prompts.slice(place)) shares[rest] = Math.max(1, share)
        break
      }
      shares[index] = wanted[index]!
      left -= wanted[index]!
    }
    return { shares, prompts: prompts.reduce((sum, index) => sum + shares[index]!, 0) }
  }

  /** An evaluation with so many tokens of prompts took so long; steers towards `PREFILL_SLICE_MS`. */
  observe(tokens: number, elapsedMs: number): void {
    // The end of a prompt is small for another reason, and small ones cost more a token.
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
