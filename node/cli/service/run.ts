/** Runs the tools of the system, and prints the log of a service. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

import { CommandError } from '../terminal/errors.ts'
import { printLine } from '../terminal/output.ts'

/** Lines of the log to print, or to print first. */
export const LOG_LINES = 100
/** Seconds that the system waits for the end of the running answers. A node drains for two minutes at most. */
export const STOP_TIMEOUT_S = 150
const run = promisify(execFile)

/** @throws CommandError if the tool fails, with the last line that it printed */
export async function runTool(tool: string, args: readonly string[]): Promise<void> {
  try {
    await run(tool, args)
  } catch (cause) {
    const printed = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n').at(-1) : ''
    throw new CommandError(
      `${tool} ${args.join(' ')} failed: ${printed || String(cause)}; run this command yourself to see more`,
      { cause }
    )
  }
}

export async function printFile(path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CommandError(`there is no log at ${path} yet; start the node with \`potluck service install\``, { cause })
  })
  printLine(text.trimEnd().split('\n').slice(-LOG_LINES).join('\n'))
}
