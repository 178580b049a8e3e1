/**
 * Backpressure counted in tokens: the caller grants them, the engine spends them.
 *
 * Bytes alone would not do: a transport window holds thousands of tokens, which a node would
 * compute for a caller that left. Nor does credit alone: a caller may grant much and not read, so
 * the engine is only let a little ahead of what the stream took.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { decodeClientFrame, MAX_CREDIT, PotluckError, type FrameStream } from '@potluck/protocol'

import { ENGINE_LEAD_TOKENS } from '../limits.ts'

/** What the caller may still be sent, and what of it the engine may compute ahead of the stream. */
export class CreditAccount {
  #balance: number
  #lent = 0
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

  /** These tokens came from the engine, on their way to the caller. */
  spend(tokens: number): void {
    this.#lent -= tokens
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

  /** Tokens that the engine gets now; in batches, as each is a message to its process. */
  lend(): number {
    if (this.#lent > ENGINE_LEAD_TOKENS / 2) return 0
    const tokens = Math.max(0, Math.min(this.#balance, ENGINE_LEAD_TOKENS) - this.#lent)
    this.#lent += tokens
    return tokens
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
  onGrant: () => void,
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
      if (bytes === undefined) continue
      account.grant(decodeCredit(bytes))
      onGrant()
    } catch (error) {
      if (signal.aborted) return
      // The wait began before the account was empty: the loop waits for the rest.
      if (!(error instanceof PotluckError && error.code === 'caller_stalled')) throw error
    }
  }
}

function decodeCredit(bytes: Uint8Array): number {
  const frame = decodeClientFrame(bytes)
  if (frame.type !== 'credit') throw new PotluckError('invalid_request', 'a second request on one stream')
  return frame.tokens
}
