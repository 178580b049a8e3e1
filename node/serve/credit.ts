/**
 * Backpressure counted in tokens: the caller grants credit, and the engine spends it.
 *
 * The transport's backpressure alone is not enough. Its window holds thousands of tokens, which the node would compute
 * for a caller that no longer reads. Credit alone is not enough either. A caller can grant much and not read, so the
 * engine may compute only a few tokens ahead of the stream.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { decodeClientFrame, MAX_CREDIT, PotluckError, type FrameStream } from '@potluck/protocol'

import { ENGINE_LEAD_TOKENS } from '../limits/limits.ts'

/** Counts the tokens that the caller granted, and the part of them that the engine may compute now. */
export class CreditAccount {
  /** Tokens that the caller granted and the engine has not computed. */
  #balance: number
  /** Tokens that `lend` allowed the engine to compute, and that the engine has not computed. */
  #lent = 0
  #emptySince: number | undefined
  readonly #now: () => number

  /** @param initial tokens granted in the request */
  constructor(initial: number, now: () => number) {
    this.#balance = initial
    this.#now = now
  }

  /** For how many milliseconds the account has been empty. 0 while there is credit. */
  get emptyForMs(): number {
    return this.#emptySince === undefined ? 0 : this.#now() - this.#emptySince
  }

  /** The engine computed these tokens, and the node is about to send them. */
  spend(tokens: number): void {
    this.#lent -= tokens
    this.#balance -= tokens
    if (this.#balance <= 0) this.#emptySince ??= this.#now()
  }

  /** @throws PotluckError `invalid_request` if the balance would exceed `MAX_CREDIT` */
  grant(tokens: number): void {
    if (this.#balance + tokens > MAX_CREDIT) {
      throw new PotluckError('invalid_request', `more than ${MAX_CREDIT} tokens of credit`)
    }
    this.#balance += tokens
    if (this.#balance > 0) this.#emptySince = undefined
  }

  /**
   * Returns how many more tokens the engine may compute now, and counts them as lent. It lends in batches, because each
   * grant is a message to the engine's process.
   */
  lend(): number {
    if (this.#lent > ENGINE_LEAD_TOKENS / 2) return 0
    const tokens = Math.max(0, Math.min(this.#balance, ENGINE_LEAD_TOKENS) - this.#lent)
    this.#lent += tokens
    return tokens
  }
}

/**
 * Reads credit frames until `signal` fires. If the caller closes its side, the credit that it granted stays valid.
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
      // If the account became empty during the wait, the loop waits for the rest of the time.
      if (!(error instanceof PotluckError && error.code === 'caller_stalled')) throw error
    }
  }
}

function decodeCredit(bytes: Uint8Array): number {
  const frame = decodeClientFrame(bytes)
  if (frame.type !== 'credit') throw new PotluckError('invalid_request', 'a second request on one stream')
  return frame.tokens
}
