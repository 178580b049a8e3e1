#!/usr/bin/env node
/** The `potluck` command: settings in, a command run, an exit code out. */
import { PotluckError } from '@potluck/protocol'
import { CommanderError } from 'commander'

import { EXIT_INTERRUPTED, EXIT_USAGE, tell } from './failure.ts'
import { createProgram, type CommandRun } from './program.ts'
import { resolveSettings } from './settings/resolve.ts'
import { printError } from './terminal/output.ts'
import type { Settings } from './settings/table.ts'

let json = process.argv.includes('--json')

async function execute(
  load: () => Promise<CommandRun>,
  { flags, words, config }: { flags: Partial<Settings>; words: string[]; config?: string }
): Promise<void> {
  const settings = await resolveSettings({ flags, env: process.env, configFile: config })
  json = settings.json
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The first asks to finish, the second does not ask.
      if (interrupted.signal.aborted) process.exit(EXIT_INTERRUPTED)
      interrupted.abort(new Error(`interrupted by ${signal}`))
    })
  }
  const run = await load()
  try {
    process.exitCode = await run({ settings, words, env: process.env, interrupted: interrupted.signal })
  } catch (error) {
    if (!isAbort(error, interrupted.signal)) throw error
    throw new PotluckError('aborted', 'interrupted', { cause: error })
  }
}

/** Whether an error says no more than that the user interrupted. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))
}

try {
  await createProgram(execute).parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // It has printed its line already; asking for help is no error.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  } else {
    const told = tell(error)
    printError(told, json)
    process.exitCode = told.exitCode
  }
}
