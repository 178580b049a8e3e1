/** Errors as a user reads them: one line that says what happened, why, and what to do. */
import { PotluckError, type ErrorCode } from '@potluck/protocol'

/** Exit codes: 1 for what failed, 2 for a command that was not understood, 130 after Ctrl-C as shells have it. */
const EXIT_FAILED = 1
export const EXIT_USAGE = 2
export const EXIT_INTERRUPTED = 130

/** A failure that is already told in one line. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: number

  constructor(message: string, { exitCode = EXIT_FAILED, cause }: { exitCode?: number; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}

export interface Told {
  message: string
  /** The protocol's code, `usage` or `failed`. */
  code: string
  exitCode: number
}

/** Never a stack, never a second line. */
export function tell(error: unknown): Told {
  if (error instanceof Failure) {
    return {
      message: oneLine(error.message),
      code: error.exitCode === EXIT_USAGE ? 'usage' : 'failed',
      exitCode: error.exitCode
    }
  }
  if (error instanceof PotluckError) {
    if (error.code === 'aborted') return { message: 'interrupted', code: error.code, exitCode: EXIT_INTERRUPTED }
    const hint = advice(error.code, error.retryAfterMs)
    const message = oneLine(hint === '' ? error.message : `${error.message}; ${hint}`)
    return { message, code: error.code, exitCode: EXIT_FAILED }
  }
  return {
    message: oneLine(error instanceof Error ? error.message : String(error)),
    code: 'failed',
    exitCode: EXIT_FAILED
  }
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, ' ')
}

function advice(code: ErrorCode, retryAfterMs = 0): string {
  switch (code) {
    case 'busy':
    case 'rate_limited':
      return `try again${retryAfterMs > 0 ? ` in ${Math.ceil(retryAfterMs / 1000)} s` : ' later'}`
    case 'no_providers':
      return '`potluck models` lists what is served; name a peer of the network with --bootstrap, or start a node with `potluck serve`'
    case 'context_length_exceeded':
      return 'shorten the prompt, lower --max-tokens, or choose a model with a longer context'
    case 'dial_failed':
    case 'dial_timeout':
      return 'the node may have left: try again, or another --model'
    case 'engine_failed':
    case 'stream_cut':
    case 'admission_timeout':
    case 'first_token_timeout':
    case 'token_timeout':
    case 'request_timeout':
    case 'protocol_violation':
      return 'try again: another node may be chosen'
    case 'unsupported':
      return 'choose another --model: `potluck models` lists what is served'
    case 'aborted':
    case 'caller_stalled':
    case 'draining':
    case 'invalid_request':
    case 'model_not_found':
      return ''
  }
}
