/** Errors for users: one line that says what happened, why, and what to do. */
import { ERROR_POLICY, PotluckError, type ErrorCode } from '@potluck/protocol'

/** The exit code of a command that failed. */
const EXIT_FAILED = 1
/** The exit code of a command whose options, arguments or settings are wrong. */
export const EXIT_USAGE = 2
/** The exit code after Ctrl-C, as in shells: 128 plus 2, the number of the signal SIGINT. */
export const EXIT_INTERRUPTED = 130

/** An error of a command. Its message is one line for the user. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, { exitCode = EXIT_FAILED, cause }: { exitCode?: number; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}

/** An error in the options, arguments or settings of a command. */
export function usageError(message: string, cause?: unknown): CommandError {
  return new CommandError(message, { exitCode: EXIT_USAGE, cause })
}

export interface ErrorReport {
  message: string
  /** The protocol's error code, `usage` or `failed`. */
  code: string
  exitCode: number
}

/** Turns any error into what the user sees: one line, and no stack. */
export function reportOf(error: unknown): ErrorReport {
  if (error instanceof CommandError) {
    const code = error.exitCode === EXIT_USAGE ? 'usage' : 'failed'
    return { message: oneLine(error.message), code, exitCode: error.exitCode }
  }
  if (error instanceof PotluckError) {
    const { code, retryAfterMs } = error
    const { exitCode } = ERROR_POLICY[code]
    if (code === 'aborted') return { message: 'interrupted', code, exitCode }
    const hint = error.remedy ?? advice(code, retryAfterMs)
    return { message: oneLine(hint === '' ? error.message : `${error.message}; ${hint}`), code, exitCode }
  }
  return { message: oneLine(messageOf(error)), code: 'failed', exitCode: EXIT_FAILED }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
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
      return 'list the served models with `potluck models`, name a peer of the network with --bootstrap, or start a node with `potluck serve`'
    case 'context_length_exceeded':
      return 'shorten the prompt, lower --max-tokens, or choose a model with a longer context'
    case 'dial_failed':
    case 'dial_timeout':
      return 'the node may have stopped: try again, or choose another --model'
    case 'engine_failed':
    case 'stream_cut':
    case 'relay_limit':
    case 'admission_timeout':
    case 'first_token_timeout':
    case 'token_timeout':
    case 'request_timeout':
    case 'late_refusal':
    case 'protocol_violation':
    case 'continuation_rejected':
      return 'try again: the client may choose another node'
    case 'unsupported':
      return 'choose another --model: `potluck models` lists the served models'
    case 'aborted':
    case 'caller_stalled':
    case 'draining':
    case 'invalid_request':
    case 'model_not_found':
      return ''
  }
}
