/** Anthropic's coding agent Claude Code, which uses the messages API: a prompt, one tool, and the answer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { npmCommand, runCommand, withDownloads } from './npm-command.ts'

test.runIf(withDownloads)(
  'claude reads a file that the model asks for, and shows the answer',
  { timeout: 400_000 },
  async () => {
    const claude = await npmCommand('@anthropic-ai/claude-code@2.1.330', 'claude')
    const folder = await mkdtemp(join(tmpdir(), 'potluck-client-'))
    onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'notes.txt')
    await writeFile(file, 'The code word is heron.\n')
    const { url, failures } = await clientNetwork((prompt) =>
      prompt.includes('The code word is')
        ? 'I found heron in the notes.'
        : `<think>I must read the file.</think>I read it.${callText({ name: 'Read', arguments: { file_path: file } })}`
    )
    const printed = await runCommand(
      claude,
      ['-p', 'Which code word is in notes.txt?', '--output-format', 'json', '--allowedTools', 'Read'],
      {
        cwd: folder,
        env: {
          HOME: folder,
          ANTHROPIC_BASE_URL: url,
          ANTHROPIC_AUTH_TOKEN: 'any',
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1'
        }
      }
    )
    expect(JSON.parse(printed)).toMatchObject({
      subtype: 'success',
      num_turns: 2,
      result: 'I found heron in the notes.'
    })
    expect(failures).toEqual([])
  }
)
