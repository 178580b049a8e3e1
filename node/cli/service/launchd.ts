/** A launch agent of macOS that runs `potluck serve`. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

import { printFile, runTool, STOP_TIMEOUT_S } from './run.ts'
import { escapeXml, type SystemService } from './service.ts'

const LABEL = 'potluck.node'

export function launchd(): SystemService {
  const path = join(homedir(), 'Library', 'LaunchAgents', `${LABEL}.plist`)
  const log = join(homedir(), 'Library', 'Logs', 'potluck.log')
  const domain = `gui/${process.getuid?.() ?? 0}`
  return {
    path,
    install: async (command) => {
      await mkdir(dirname(path), { recursive: true })
      await mkdir(dirname(log), { recursive: true })
      await writeFile(path, plist(command, log), { mode: 0o644 })
      try {
        await runTool('launchctl', ['bootstrap', domain, path])
      } catch (error) {
        await rm(path)
        throw error
      }
    },
    uninstall: async () => {
      await runTool('launchctl', ['bootout', `${domain}/${LABEL}`])
      await rm(path)
    },
    logs: async () => await printFile(log),
    atBoot: 'macOS starts it at boot only if this user logs in automatically.'
  }
}

/** `KeepAlive` restarts the node after a crash, but not after `potluck stop`. */
export function plist(command: readonly string[], log: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${command.map((word) => `    <string>${escapeXml(word)}</string>`).join('\n')}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ExitTimeOut</key>
  <integer>${STOP_TIMEOUT_S}</integer>
  <key>StandardOutPath</key>
  <string>${escapeXml(log)}</string>
  <key>StandardErrorPath</key>
  <string>${escapeXml(log)}</string>
</dict>
</plist>
`
}
