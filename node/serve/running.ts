/** The answers that the node generates now, for its owner. */

export interface RunningAnswer {
  /** Peer id of the caller. */
  peerId: string
  /** The name of the model. */
  model: string
  /** Tokens that the node generated for this request. */
  tokens: number
  /** Since the request got its slot. */
  sinceMs: number
}

export class RunningAnswers {
  readonly #clock: () => number
  readonly #running = new Set<Omit<RunningAnswer, 'sinceMs'> & { startedAt: number }>()

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  begin(peerId: string, model: string): { took: (tokens: number) => void; end: () => void } {
    const answer = { peerId, model, tokens: 0, startedAt: this.#clock() }
    this.#running.add(answer)
    return {
      took: (tokens) => {
        answer.tokens += tokens
      },
      end: () => void this.#running.delete(answer)
    }
  }

  list(): RunningAnswer[] {
    const now = this.#clock()
    return [...this.#running].map(({ startedAt, ...answer }) => ({ ...answer, sinceMs: Math.round(now - startedAt) }))
  }
}
