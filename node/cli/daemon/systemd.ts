/** A systemd user unit that runs `potluck serve`. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import type { Environment } from '../settings/resolve.ts'
import { CommandError } from '../terminal/errors.ts'

const UNIT = 'potluck.service'
/** Seconds that systemd waits for the end of the running answers. A node drains for two minutes at most. */
const STOP_TIMEOUT_S = 150
/** Lines of the log to print first. */
const LOG_LINES = 100
const run = promisify(execFile)

export function unitPath(env: Environment): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'systemd', 'user', UNIT)
}

/**
 * Writes the unit, and starts it now and at each login.
 *
 * @throws CommandError if systemd refuses. The unit is removed then
 */
export async function installUnit(path: string, command: readonly string[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, unit(command), { mode: 0o644 })
  try {
    await systemctl('daemon-reload')
    await systemctl('enable', '--now', UNIT)
  } catch (error) {
    await rm(path)
    throw error
  }
}

/** Stops the node after its running answers, and removes the unit. */
export async function uninstallUnit(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new CommandError(
      `no service is installed: ${path} does not exist; install one with \`potluck service install\``
    )
  }
  await systemctl('disable', '--now', UNIT)
  await rm(path)
  await systemctl('daemon-reload')
}

/** Prints the log, on a terminal until Ctrl-C. */
export async function printLogs(): Promise<void> {
  const follow = process.stdout.isTTY ? ['--follow'] : []
  const journal = spawn('journalctl', ['--user', `--unit=${UNIT}`, `--lines=${LOG_LINES}`, ...follow], {
    stdio: 'inherit'
  })
  await once(journal, 'close').catch((cause: unknown) => {
    throw missing('journalctl', cause)
  })
}

export function unit(command: readonly string[]): string {
  return `[Unit]
Description=Potluck node
After=network-online.target

[Service]
ExecStart=${command.map(quoted).join(' ')}
Restart=on-failure
RestartSec=10
TimeoutStopSec=${STOP_TIMEOUT_S}

[Install]
WantedBy=default.target
`
}

/** systemd expands % and $, and reads backslashes and quotes as a shell does. */
function quoted(word: string): string {
  return `"${word
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')}"`
}

async function systemctl(...args: string[]): Promise<void> {
  try {
    await run('systemctl', ['--user', ...args])
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') throw missing('systemctl', cause)
    const reason = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().split('\n').at(-1) : ''
    throw new CommandError(
      `systemctl --user ${args.join(' ')} failed: ${reason}; run this command yourself to see more`,
      {
        cause
      }
    )
  }
}

function missing(program: string, cause: unknown): CommandError {
  return new CommandError(
    `cannot run ${program}: this system has no systemd; start \`potluck serve\` with the tools of this system`,
    { cause }
  )
}
