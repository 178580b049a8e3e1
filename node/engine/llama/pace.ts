import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../constants.ts'

/** What a sequence asks for. */
export interface Wanted {
  /** Tokens that are left to evaluate, at least 1; more are of a prompt. */
  left: number
  /** Tokens of the prompt that were evaluated already, those of the cache aside. */
  done: number
  /** The same for prompts that began at about the same time. */
  cohort: number
}

/** What everybody gets of an evaluation. */
export interface Division {
  /** Tokens of each, in the order in which they were asked for; 0 for a prompt that sits out. */
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
   * Within a cohort the first sits out until the later ones are level. Requests that come milliseconds apart then begin
   * to answer together: each step of the first one alone would cost three eighths of a step for eight (8 streams on
   * 0.5B: 65 tokens a second apart, 70 together). Nobody waits for those that come later still, or a busy node would
   * serve the newest only.
   */
  divide(wanted: readonly Wanted[]): Division {
    const prompts = [...wanted.keys()].filter((index) => wanted[index]!.left > 1)
    const shares: number[] = wanted.map(({ left }) => (left > 1 ? 0 : 1))
    const least = new Map<number, number>()
    for (const index of prompts) {
      const { cohort, done } = wanted[index]!
      least.set(cohort, Math.min(done, least.get(cohort) ?? done))
    }
    const lead = (index: number): number => wanted[index]!.done - least.get(wanted[index]!.cohort)!
    const last = prompts.filter((index) => lead(index) === 0)
    const level = Math.min(...prompts.map(lead).filter((tokens) => tokens > 0))
    last.sort((a, b) => wanted[a]!.left - wanted[b]!.left)
    let whole = this.#whole
    for (const [place, index] of last.entries()) {
      const { left } = wanted[index]!
      const share = Math.min(Math.max(1, Math.floor(whole / (last.length - place))), level)
      if (left >= share) {
        // All that follow get as much: llama.cpp evaluates apart what some have more than others.
        for (const rest of last.slice(place)) shares[rest] = share
        break
      }
      shares[index] = left
      whole -= left
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
