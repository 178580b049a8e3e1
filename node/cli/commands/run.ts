/** `potluck run "prompt"`: one question, one answer. */
import { fstatSync } from 'node:fs'
import { text as readText } from 'node:stream/consumers'

import type { Answer, Client } from '@potluck/client'
import type { ChatMessage } from '@potluck/protocol'

import { connect } from '../connect.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import { generationOptions } from '../generation.ts'
import type { CommandContext } from '../program.ts'
import { showAnswer } from '../terminal/answer.ts'

export async function run(context: CommandContext): Promise<number> {
  const { words, settings } = context
  const prompt = await readPrompt(words)
  const client = await connect(context)
  try {
    await showAnswer(ask(client, prompt, context), settings)
  } finally {
    await client.stop()
  }
  return 0
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
