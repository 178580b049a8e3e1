/** The coding agent aider, which edits files by the text of the answer: a prompt, and an edited file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPythonCommand } from './python.ts'

test.runIf(withDownloads)('aider edits a file as the model says', { timeout: 600_000 }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'potluck-client-'))
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'notes.txt')
  await writeFile(file, 'The code word is crow.\n')
  const { url, failures } = await clientNetwork('notes.txt\n```\nThe code word is heron.\n```\n')
  const options = '--yes-always --no-git --no-check-update --analytics-disable --no-show-model-warnings --no-stream'
  await runPythonCommand(
    context,
    'aider-chat==0.86.2',
    ['aider', '--model', 'openai/auto', ...options.split(' '), '--message', 'Make the code word heron.', file],
    {
      cwd: folder,
      env: { HOME: folder, OPENAI_API_BASE: `${url}/v1`, OPENAI_API_KEY: 'any', LITELLM_LOCAL_MODEL_COST_MAP: 'True' }
    }
  )
  expect(await readFile(file, 'utf8')).toBe('The code word is heron.\n')
  expect(failures).toEqual([])
})
