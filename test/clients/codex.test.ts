/** OpenAI's coding agent Codex, which uses the responses API: a prompt, one command in the shell, and the answer. */
import { expect, test } from 'vitest'

import { agentNetwork, LAST_WORDS } from './agent-network.ts'
import { npmCommand, runCommand, withDownloads } from './npm-command.ts'

test.runIf(withDownloads)(
  'codex runs a command that the model asks for, and shows the answer',
  { timeout: 400_000 },
  async () => {
    const codex = await npmCommand('@openai/codex@0.169.0', 'codex')
    const { baseURL, folder } = await agentNetwork('exec_command', (cmd) => ({ cmd }))
    const settings = {
      model_provider: 'potluck',
      'model_providers.potluck.name': 'Potluck',
      'model_providers.potluck.base_url': baseURL,
      'model_providers.potluck.wire_api': 'responses'
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${JSON.stringify(value)}`])
    const printed = await runCommand(
      codex,
      [
        'exec',
        '--skip-git-repo-check',
        // There is no terminal to confirm the command, and no sandbox in a container.
        '--dangerously-bypass-approvals-and-sandbox',
        '--model',
        'auto',
        ...options,
        'Run echo, and tell me what it prints.'
      ],
      { cwd: folder, env: { CODEX_HOME: folder, HOME: folder } }
    )
    expect(printed).toContain('succeeded in')
    expect(printed).toContain(LAST_WORDS)
  }
)
