/** The coding agent opencode, which uses chat completions: a prompt, one command in the shell, and the answer. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { agentNetwork, LAST_WORDS } from './agent-network.ts'
import { npmCommand, runCommand, withDownloads } from './npm-command.ts'

test.runIf(withDownloads)(
  'opencode runs a command that the model asks for, and shows the answer',
  { timeout: 400_000 },
  async () => {
    const opencode = await npmCommand('opencode-ai@1.18.33', 'opencode')
    const { baseURL, folder } = await agentNetwork('bash', (command) => ({ command }))
    const settings = {
      provider: {
        potluck: {
          npm: '@ai-sdk/openai-compatible',
          options: { baseURL, apiKey: 'none' },
          models: { auto: { limit: { context: 200_000, output: 4_000 } } }
        }
      },
      model: 'potluck/auto',
      small_model: 'potluck/auto',
      autoupdate: false,
      share: 'disabled'
    }
    await writeFile(join(folder, 'opencode.json'), JSON.stringify(settings))
    const printed = await runCommand(opencode, ['run', 'Run echo, and tell me what it prints.'], {
      cwd: folder,
      env: { HOME: folder, OPENCODE_DISABLE_MODELS_FETCH: '1' }
    })
    expect(printed).toContain(LAST_WORDS)
  }
)
