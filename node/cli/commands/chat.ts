/** `potluck chat`: a conversation, held here and sent whole with each turn. */
import { createInterface, type Interface } from 'node:readline'

import type { Client } from '@potluck/client'
import { PotluckError, type ChatMessage } from '@potluck/protocol'

import { connect } from '../connect.ts'
import { EXIT_INTERRUPTED, tell } from '../failure.ts'
import { generationOptions } from '../generation.ts'
import type { CommandContext } from '../program.ts'
import { showAnswer, summary } from '../terminal/answer.ts'
import { printError, printNote } from '../terminal/output.ts'

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
  readonly #system: readonly ChatMessage[]
  /** Questions and answers in turn. */
  #turns: ChatMessage[] = []
  /** The answer that Ctrl-C stops. */
  #answering: AbortController | undefined
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
      else if (words === '/clear') this.#turns = []
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

  async #turn(content: string): Promise<void> {
    this.#answering = new AbortController()
    const signal = AbortSignal.any([this.#answering.signal, this.#context.interrupted])
    try {
      await this.#ask({ role: 'user', content }, signal)
    } catch (error) {
      // One turn failed; the conversation stands as it was before.
      if (!(error instanceof PotluckError)) throw error
      printError(tell(error), this.#context.settings.json)
    } finally {
      this.#answering = undefined
    }
  }

  /** Asks with the whole conversation, or with as much of its end as the model's context holds. */
  async #ask(question: ChatMessage, signal: AbortSignal): Promise<void> {
    const { settings } = this.#context
    for (;;) {
      const messages = [...this.#system, ...this.#turns, question]
      const answer = this.#client.chat({ ...generationOptions(settings, signal), messages })
      try {
        const { text, finish } = await showAnswer(answer, settings)
        if (!settings.json) printNote(summary(finish, this.#client.standing()))
        this.#turns.push(question, { role: 'assistant', content: text })
        return
      } catch (error) {
        const tooLong = error instanceof PotluckError && error.code === 'context_length_exceeded'
        if (!tooLong || this.#turns.length === 0) throw error
        this.#turns.splice(0, 2)
        printNote('the conversation is too long for the model; its first question and answer are forgotten')
      }
    }
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
