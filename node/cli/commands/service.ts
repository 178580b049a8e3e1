/** `potluck service`: starts the node with the system, through a systemd user unit. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { installUnit, printLogs, uninstallUnit, unitPath } from '../daemon/systemd.ts'
import type { CommandContext } from '../settings/context.ts'
import { CommandError, usageError } from '../terminal/errors.ts'
import { printNotice } from '../terminal/output.ts'

const BIN = fileURLToPath(new URL('../../bin/potluck.js', import.meta.url))

export async function service(context: CommandContext): Promise<number> {
  const { settings, env, words } = context
  const [action, model] = words
  if (process.platform !== 'linux') {
    throw new CommandError(
      '`potluck service` needs systemd, which only Linux has; start `potluck serve` with the tools of this system'
    )
  }
  switch (action) {
    case 'install': {
      if (model === undefined) throw usageError('missing model, as in `potluck service install crumb`')
      const data = settings.dataDir === undefined ? [] : ['--data-dir', resolve(settings.dataDir)]
      await installUnit(unitPath(env), [process.execPath, BIN, 'serve', await absolute(model), ...data])
      printNotice(
        'The node runs, and starts again when you log in. To start it at boot, run `loginctl enable-linger`. It reads its other settings from the config file.',
        settings.json
      )
      return 0
    }
    case 'uninstall':
      await uninstallUnit(unitPath(env))
      printNotice(
        'The node is stopped, and does not start again when you log in. Its data and models are still there.',
        settings.json
      )
      return 0
    case 'logs':
      await printLogs()
      return 0
    case undefined:
    default:
      throw usageError(`unknown action "${action ?? ''}"; use install, uninstall or logs`)
  }
}

/** The unit runs in another folder. */
async function absolute(model: string): Promise<string> {
  return (await stat(model).catch(() => undefined)) === undefined ? model : resolve(model)
}
