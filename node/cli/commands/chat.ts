/** `potluck chat`: a conversation. This process keeps the conversation, and sends all of it with each question. */
import { createInterface, type Interface } from 'node:readline'

import type { Client } from '@potluck/client'
import { PotluckError, type ChatMessage } from '@potluck/protocol'

import { connect } from '../client/connect.ts'
import { generationOptions } from '../client/generation.ts'
import type { CommandContext } from '../settings/context.ts'
import { printWholeAnswer, summary } from '../terminal/answer.ts'
import { EXIT_INTERRUPTED, reportOf } from '../terminal/errors.ts'
import { printError, printNote } from '../terminal/output.ts'

const HELP = `/clear   forget the conversation
/help    print this help
/bye     end the chat, as Ctrl-D does
Ctrl-C stops an answer. Press it twice to end the chat.`

export async function chat(context: CommandContext): Promise<number> {
  const { settings } = context
  const client = await connect(context)
  const interactive = process.stdin.isTTY && !settings.json
  const lines = createInterface({
    input: process.stdin,
    prompt: '>>> ',
    ...(interactive ? { output: process.stderr } : {})
  })
  if (interactive) printNote('Type a question, or /help.')
  try {
    return await new Conversation(client, lines, context).run()
  } finally {
    lines.close()
    await client.stop()
  }
}

class Conversation {
  readonly #client: Client
  readonly #lines: Interface
  readonly #context: CommandContext
  readonly #system: readonly ChatMessage[]
  /** Questions and answers, alternately. */
  #turns: ChatMessage[] = []
  /** Stops the current answer. */
  #answering: AbortController | undefined
  /** Whether the next Ctrl-C ends the chat. */
  #warned = false
  #closed = false
  #exitCode = 0

  constructor(client: Client, lines: Interface, context: CommandContext) {
    this.#client = client
    this.#lines = lines
    this.#context = context
    const { system } = context.settings
    this.#system = system === undefined ? [] : [{ role: 'system', content: system }]
  }

  /** Reads and answers questions until the input ends or the user ends the chat. Resolves to the exit code. */
  async run(): Promise<number> {
    this.#lines.on('SIGINT', () => this.#interrupt())
    this.#lines.on('close', () => (this.#closed = true))
    this.#context.interrupted.addEventListener('abort', () => this.#close(EXIT_INTERRUPTED), { once: true })
    this.#prompt()
    for await (const line of this.#lines) {
      this.#warned = false
      const words = line.trim()
      if (words === '/bye' || words === '/exit') break
      if (words === '/help') printNote(HELP)
      else if (words === '/clear') this.#turns = []
      else if (words.startsWith('/')) printNote(`Unknown command ${words}. /help lists the commands.`)
      else if (words !== '') await this.#turn(line)
      if (this.#context.interrupted.aborted) break
      this.#prompt()
    }
    return this.#exitCode
  }

  /** The input can end during an answer, and a closed interface cannot prompt. */
  #prompt(): void {
    if (!this.#closed) this.#lines.prompt()
  }

  async #turn(content: string): Promise<void> {
    this.#answering = new AbortController()
    const signal = AbortSignal.any([this.#answering.signal, this.#context.interrupted])
    try {
      await this.#ask({ role: 'user', content }, signal)
    } catch (error) {
      // The failed turn is not added, so the conversation continues as it was before.
      if (!(error instanceof PotluckError)) throw error
      const report = reportOf(error)
      printError(report, this.#context.settings.json)
      // A script reads the exit code. A person sees the message, and can ask again.
      if (!process.stdin.isTTY) this.#exitCode = report.exitCode
    } finally {
      this.#answering = undefined
    }
  }

  /** Sends the whole conversation, or as many of its last turns as fit the model's context. */
  async #ask(question: ChatMessage, signal: AbortSignal): Promise<void> {
    const { settings } = this.#context
    for (;;) {
      const messages = [...this.#system, ...this.#turns, question]
      const answer = this.#client.chat({ ...generationOptions(settings, signal), messages })
      try {
        const { text, finish } = await printWholeAnswer(answer, settings)
        if (!settings.json) printNote(summary(finish, this.#client.standing()))
        this.#turns.push(question, { role: 'assistant', content: text })
        return
      } catch (error) {
        const tooLong = error instanceof PotluckError && error.code === 'context_length_exceeded'
        if (!tooLong || this.#turns.length === 0) throw error
        this.#turns.splice(0, 2)
        printNote('The conversation is too long for the model. Removed its oldest question and answer.')
      }
    }
  }

  #interrupt(): void {
    if (this.#answering !== undefined) {
      this.#answering.abort(new Error('Ctrl-C'))
      this.#answering = undefined
      return
    }
    if (this.#warned) return this.#close(EXIT_INTERRUPTED)
    this.#warned = true
    printNote('\nPress Ctrl-C again to end the chat.')
    this.#prompt()
  }

  #close(exitCode: number): void {
    this.#exitCode = exitCode
    this.#lines.close()
  }
}
