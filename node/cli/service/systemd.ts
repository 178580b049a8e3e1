/** A systemd user unit that runs `potluck serve`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

import type { Environment } from '../settings/resolve.ts'
import { CommandError } from '../terminal/errors.ts'
import { LOG_LINES, runTool, STOP_TIMEOUT_S } from './run.ts'
import type { SystemService } from './service.ts'

const UNIT = 'potluck.service'

export function systemd(env: Environment): SystemService {
  const path = join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'systemd', 'user', UNIT)
  return {
    path,
    install: async (command) => {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, unit(command), { mode: 0o644 })
      try {
        await systemctl('daemon-reload')
        await systemctl('enable', '--now', UNIT)
      } catch (error) {
        await rm(path)
        throw error
      }
    },
    uninstall: async () => {
      await systemctl('disable', '--now', UNIT)
      await rm(path)
      await systemctl('daemon-reload')
    },
    logs: printLogs,
    atBoot: 'To start it at boot, run `loginctl enable-linger`.'
  }
}

/** Prints the log, on a terminal until Ctrl-C. */
async function printLogs(): Promise<void> {
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

/** @throws CommandError if systemd refuses */
async function systemctl(...args: string[]): Promise<void> {
  await runTool('systemctl', ['--user', ...args]).catch((error: CommandError) => {
    throw error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ENOENT'
      ? missing('systemctl', error.cause)
      : error
  })
}

function missing(program: string, cause: unknown): CommandError {
  return new CommandError(
    `cannot run ${program}: this system has no systemd; start \`potluck serve\` with the tools of this system`,
    { cause }
  )
}
