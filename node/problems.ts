/** The problems of a running node that its owner can solve. */

/**
 * - `advertise`: clients cannot find the node.
 * - `clock`: this machine's clock is wrong.
 * - `disk`: the node cannot write to its data directory.
 * - `damage`: the node's data was damaged at the start, and is replaced. It stays in the list until the node stops.
 */
export type ProblemKind = 'advertise' | 'clock' | 'disk' | 'damage'

export interface Problem {
  kind: ProblemKind
  /** One line: what happened, why, and what to do. */
  message: string
}

export class Problems {
  readonly #onProblem: (problem: Problem) => void
  readonly #messages = new Map<ProblemKind, string>()

  /** @param onProblem called when a problem begins, not when only its message changes */
  constructor(onProblem: (problem: Problem) => void) {
    this.#onProblem = onProblem
  }

  /** @param message undefined: the problem is solved */
  report(kind: ProblemKind, message: string | undefined): void {
    const begins = !this.#messages.has(kind)
    if (message === undefined) this.#messages.delete(kind)
    else this.#messages.set(kind, message)
    if (begins && message !== undefined) this.#onProblem({ kind, message })
  }

  list(): Problem[] {
    return [...this.#messages].map(([kind, message]) => ({ kind, message }))
  }
}
