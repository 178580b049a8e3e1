/** A task of Windows that runs `potluck serve` when its owner logs in. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Environment } from '../settings/resolve.ts'
import { printFile, runTool } from './run.ts'
import { escapeXml, type SystemService } from './service.ts'

const TASK = 'Potluck node'

/** @param directory the data directory, for the log and for the file that describes the task */
export function windowsTask(directory: string, env: Environment): SystemService {
  const path = join(directory, 'task.xml')
  const log = join(directory, 'service.log')
  return {
    path,
    install: async (command) => {
      await mkdir(dirname(path), { recursive: true })
      // Task Scheduler reads UTF-16 with a byte-order mark.
      await writeFile(path, `\uFEFF${task(command, log, env.ComSpec ?? 'cmd.exe')}`, 'utf16le')
      try {
        await runTool('schtasks', ['/create', '/tn', TASK, '/xml', path, '/f'])
        await runTool('schtasks', ['/run', '/tn', TASK])
      } catch (error) {
        await rm(path)
        throw error
      }
    },
    uninstall: async () => {
      await runTool('schtasks', ['/end', '/tn', TASK])
      await runTool('schtasks', ['/delete', '/tn', TASK, '/f'])
      await rm(path)
    },
    logs: async () => await printFile(log),
    atBoot: 'Windows starts it at boot only if this user logs in automatically.'
  }
}

/** The task has no time limit, also runs on battery, and starts again one minute after a crash. */
export function task(command: readonly string[], log: string, shell: string): string {
  // cmd.exe removes the outermost quotes.
  const line = `/d /s /c "${[...command.map(quoted), '>>', quoted(log), '2>&1'].join(' ')}"`
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
    </LogonTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions>
    <Exec>
      <Command>${escapeXml(shell)}</Command>
      <Arguments>${escapeXml(line)}</Arguments>
    </Exec>
  </Actions>
</Task>
`
}

/** Neither a path nor a model's name can contain a quote on Windows. */
function quoted(word: string): string {
  return `"${word.replaceAll('"', '')}"`
}
