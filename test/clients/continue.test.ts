/** Continue's command line, which uses chat completions: a prompt, one command in the shell, and the answer. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { agentNetwork, LAST_WORDS } from './agent-network.ts'
import { npmCommand, runCommand, withDownloads } from './npm-command.ts'

test.runIf(withDownloads)(
  'cn runs a command that the model asks for, and shows the answer',
  { timeout: 600_000 },
  async () => {
    const cn = await npmCommand('@continuedev/cli@1.5.47', 'cn')
    const { baseURL, folder } = await agentNetwork('Bash', (command) => ({ command }))
    const config = join(folder, 'config.yaml')
    const model = {
      name: 'Potluck',
      provider: 'openai',
      model: 'auto',
      apiBase: baseURL,
      apiKey: 'any',
      roles: ['chat']
    }
    // JSON is YAML too.
    await writeFile(config, JSON.stringify({ name: 'Potluck', version: '1.0.0', schema: 'v1', models: [model] }))
    const printed = await runCommand(
      cn,
      ['--config', config, '--auto', '-p', 'Run echo, and tell me what it prints.'],
      {
        cwd: folder,
        env: { HOME: folder, CONTINUE_CLI_DISABLE_TELEMETRY: '1', CONTINUE_TELEMETRY_ENABLED: '0' }
      }
    )
    expect(printed).toContain(LAST_WORDS)
  }
)
