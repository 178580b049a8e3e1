/** Cline's command line, which uses chat completions: a prompt, one command in the shell, and the answer. */
import { expect, test } from 'vitest'

import { agentNetwork, LAST_WORDS } from './agent-network.ts'
import { npmCommand, runCommand, withDownloads } from './npm-command.ts'

test.runIf(withDownloads)(
  'cline runs a command that the model asks for, and shows the answer',
  { timeout: 600_000 },
  async () => {
    const cline = await npmCommand('cline@3.0.65', 'cline')
    const { baseURL, folder } = await agentNetwork('run_commands', (command) => ({ commands: [command] }))
    const options = { cwd: folder, env: { HOME: folder } }
    await runCommand(cline, ['auth', '-p', 'openai-compatible', '-k', 'any', '-b', baseURL, '-m', 'auto'], options)
    const printed = await runCommand(cline, ['--json', 'Run echo, and tell me what it prints.'], options)
    expect(printed).toContain(LAST_WORDS)
  }
)
