/** `potluck run "prompt"`: one question, one answer. */
import { fstatSync } from 'node:fs'
import { text as readText } from 'node:stream/consumers'

import { deadline } from '@potluck/protocol'

import type { Answer, Client } from '@potluck/client'
import type { ChatMessage } from '@potluck/protocol'

import { connect } from '../connect.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import { generationOptions } from '../generation.ts'
import type { CommandContext } from '../program.ts'
import { showAnswer, summary } from '../terminal/answer.ts'
import { printNote } from '../terminal/output.ts'

/** An audit is one prefill of prompt and answer; a shell's prompt must not be waited for longer. */
const AUDIT_PATIENCE_MS = 3_000

export async function run(context: CommandContext): Promise<number> {
  const { words, settings } = context
  const prompt = await readPrompt(words)
  const client = await connect(context)
  try {
    const { finish } = await showAnswer(ask(client, prompt, context), settings)
    await audited(client, context)
    if (!settings.json) printNote(summary(finish, client.standing()))
  } finally {
    await client.stop()
  }
  return 0
}

/** The answer is out; its audit would end with this process. */
async function audited(client: Client, { interrupted }: CommandContext): Promise<void> {
  const enough = deadline(AUDIT_PATIENCE_MS, interrupted)
  const left = new Promise<void>((resolve) => enough.addEventListener('abort', () => resolve(), { once: true }))
  await Promise.race([client.audited(), left])
}

async function readPrompt(words: readonly string[]): Promise<string> {
  const piped = isPiped(words.length > 0) ? await readText(process.stdin) : ''
  const prompt = [words.join(' '), piped].filter((part) => part.trim() !== '').join('\n\n')
  if (prompt === '') {
    throw new Failure('there is no prompt: write one behind `potluck run`, or pipe one in', { exitCode: EXIT_USAGE })
  }
  return prompt
}

/**
 * Whether there is something to read. Beside a prompt only what a shell piped or redirected counts: a
 * program that starts us may leave our standard input open for ever.
 */
function isPiped(hasPrompt: boolean): boolean {
  if (process.stdin.isTTY) return false
  if (!hasPrompt) return true
  const stdin = fstatSync(0)
  return stdin.isFIFO() || stdin.isFile()
}

function ask(client: Client, prompt: string, { settings, interrupted }: CommandContext): Answer {
  const options = generationOptions(settings, interrupted)
  if (settings.raw) return client.complete({ ...options, prompt })
  const system: ChatMessage[] = settings.system === undefined ? [] : [{ role: 'system', content: settings.system }]
  return client.chat({ ...options, messages: [...system, { role: 'user', content: prompt }] })
}
