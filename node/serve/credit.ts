/**
 * Backpressure counted in tokens: the caller grants them, the engine spends them.
 *
 * Bytes alone would not do: a transport window holds thousands of tokens, which a node would
 * compute for a caller that left. Credit is bounded too, as it is what the node has to buffer.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { decodeClientFrame, MAX_CREDIT, PotluckError, type FrameStream } from '@potluck/protocol'

/** Tokens that the caller may still be sent. */
export class CreditAccount {
  #balance: number
  #emptySince: number | undefined
  readonly #now: () => number

  /** @param initial tokens granted in the request */
  constructor(initial: number, now: () => number) {
    this.#balance = initial
    this.#now = now
  }

  /** How long the caller has left the account empty, in milliseconds; 0 while there is credit. */
  get emptyForMs(): number {
    return this.#emptySince === undefined ? 0 : this.#now() - this.#emptySince
  }

  spend(tokens: number): void {
    this.#balance -= tokens
    if (this.#balance <= 0) this.#emptySince ??= this.#now()
  }

  /** @throws PotluckError `invalid_request` if the caller would hold more than it may */
  grant(tokens: number): void {
    if (this.#balance + tokens > MAX_CREDIT) {
      throw new PotluckError('invalid_request', `more than ${MAX_CREDIT} tokens of credit`)
    }
    this.#balance += tokens
    if (this.#balance > 0) this.#emptySince = undefined
  }
}

/**
 * Reads credit frames until `signal` fires. A caller that ended its side may use up what it granted.
 *
 * @throws PotluckError `caller_stalled` if the account stays empty for `timeoutMs`; `invalid_request`
 *   for any other frame or too much credit; `stream_cut` after a reset
 */
export async function readCredit(
  frames: Pick<FrameStream, 'receive'>,
  account: CreditAccount,
  grant: (tokens: number) => void,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }
): Promise<void> {
  let ended = false
  while (!signal.aborted) {
    const waitMs = timeoutMs - account.emptyForMs
    if (waitMs <= 0) throw new PotluckError('caller_stalled', `no credit for ${timeoutMs} ms`)
    try {
      const bytes: Uint8Array | undefined = ended
        ? await sleep(waitMs, undefined, { signal })
        : await frames.receive({ timeoutMs: waitMs, timeoutCode: 'caller_stalled', signal })
      ended = bytes === undefined
      if (bytes !== undefined) grant(takeCredit(bytes, account))
    } catch (error) {
      if (signal.aborted) return
      // The wait began before the account was empty: the loop waits for the rest.
      if (!(error instanceof PotluckError && error.code === 'caller_stalled')) throw error
    }
  }
}

function takeCredit(bytes: Uint8Array, account: CreditAccount): number {
  const frame = decodeClientFrame(bytes)
  if (frame.type !== 'credit') throw new PotluckError('invalid_request', 'a second request on one stream')
  account.grant(frame.tokens)
  return frame.tokens
}
