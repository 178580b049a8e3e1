/** `potluck chat`: a conversation, held here and sent whole with each turn. */
import { createInterface, type Interface } from 'node:readline'

import type { Client } from '@potluck/client'
import { PotluckError, type ChatMessage } from '@potluck/protocol'

import { connect } from '../connect.ts'
import { EXIT_INTERRUPTED, tell } from '../failure.ts'
import { generationOptions } from '../generation.ts'
import type { CommandContext } from '../program.ts'
import { printAnswer, printError, printJson, printLine, printNote } from '../terminal/output.ts'
import { finishJson, summary } from '../terminal/summary.ts'

const HELP = `/clear   forget the conversation
/help    this
/bye     leave, as Ctrl-D does
Ctrl-C stops an answer; twice, it leaves.`

export async function chat(context: CommandContext): Promise<number> {
  const { settings } = context
  const client = await connect(context)
  const interactive = process.stdin.isTTY && !settings.json
  const lines = createInterface({
    input: process.stdin,
    prompt: '>>> ',
    ...(interactive ? { output: process.stderr } : {})
  })
  if (interactive) printNote('Ask away; /help says what else there is.')
  try {
    return await new Conversation(client, lines, context).hold()
  } finally {
    lines.close()
    await client.stop()
  }
}

class Conversation {
  readonly #client: Client
  readonly #lines: Interface
  readonly #context: CommandContext
  #messages: ChatMessage[] = []
  /** The answer that Ctrl-C stops. */
  #answering: AbortController | undefined
  #warned = false
  #closed = false
  #exitCode = 0

  constructor(client: Client, lines: Interface, context: CommandContext) {
    this.#client = client
    this.#lines = lines
    this.#context = context
    this.#clear()
  }

  /** Until the input ends, or the user leaves. */
  async hold(): Promise<number> {
    this.#lines.on('SIGINT', () => this.#interrupt())
    this.#lines.on('close', () => (this.#closed = true))
    this.#context.interrupted.addEventListener('abort', () => this.#leave(EXIT_INTERRUPTED), { once: true })
    this.#prompt()
    for await (const line of this.#lines) {
      this.#warned = false
      const words = line.trim()
      if (words === '/bye' || words === '/exit') break
      if (words === '/help') printNote(HELP)
      else if (words === '/clear') this.#clear()
      else if (words.startsWith('/')) printNote(`there is no ${words}; /help says what there is`)
      else if (words !== '') await this.#turn(line)
      if (this.#context.interrupted.aborted) break
      this.#prompt()
    }
    return this.#exitCode
  }

  /** The input may end while an answer is on its way. */
  #prompt(): void {
    if (!this.#closed) this.#lines.prompt()
  }

  #clear(): void {
    const { system } = this.#context.settings
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }]
  }

  async #turn(content: string): Promise<void> {
    this.#answering = new AbortController()
    const signal = AbortSignal.any([this.#answering.signal, this.#context.interrupted])
    const messages: ChatMessage[] = [...this.#messages, { role: 'user', content }]
    try {
      const text = await this.#print(messages, signal)
      this.#messages = [...messages, { role: 'assistant', content: text }]
    } catch (error) {
      // One turn failed; the conversation stands as it was before.
      if (!(error instanceof PotluckError)) throw error
      printError(tell(error), this.#context.settings.json)
    } finally {
      this.#answering = undefined
    }
  }

  async #print(messages: readonly ChatMessage[], signal: AbortSignal): Promise<string> {
    const { settings } = this.#context
    let text = ''
    for await (const part of this.#client.chat({ ...generationOptions(settings, signal), messages })) {
      if (part.type === 'delta') text += part.text
      if (settings.json) printJson(part.type === 'finish' ? finishJson(part) : part)
      else if (part.type === 'delta') printAnswer(part.text)
      else if (part.type === 'finish') {
        printLine()
        printNote(summary(part))
      }
    }
    return text
  }

  #interrupt(): void {
    if (this.#answering !== undefined) {
      this.#answering.abort(new Error('Ctrl-C'))
      this.#answering = undefined
      return
    }
    if (this.#warned) return this.#leave(EXIT_INTERRUPTED)
    this.#warned = true
    printNote('\nCtrl-C again leaves')
    this.#prompt()
  }

  #leave(exitCode: number): void {
    this.#exitCode = exitCode
    this.#lines.close()
  }
}
