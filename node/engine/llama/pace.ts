import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../constants.ts'

/** How many tokens of prompts go into one evaluation; learned by all sequences together, which share it. */
export class SlicePace {
  #tokens = FIRST_SLICE_TOKENS
  #prefilling = 0

  /** A sequence begins to evaluate a prompt; `end` has to follow. */
  begin(): void {
    this.#prefilling++
  }

  end(): void {
    this.#prefilling--
  }

  /** Each sequence's share of the next evaluation. */
  get share(): number {
    const whole =
      this.#tokens < SLICE_STEP_TOKENS
        ? LEAST_SLICE_TOKENS
        : Math.floor(this.#tokens / SLICE_STEP_TOKENS) * SLICE_STEP_TOKENS
    return Math.max(1, Math.floor(whole / Math.max(1, this.#prefilling)))
  }

  /** A share of so many tokens took so long; steers towards evaluations of `PREFILL_SLICE_MS`. */
  observe(tokens: number, elapsedMs: number): void {
    const ideal = (tokens * this.#prefilling * PREFILL_SLICE_MS) / Math.max(elapsedMs, 0.1)
    const step = Math.min(Math.max(ideal, this.#tokens / 2), this.#tokens * 2)
    this.#tokens = Math.min(Math.max(step, LEAST_SLICE_TOKENS), BATCH_TOKENS)
  }
}
