/** Time to the first token of a request for one token, over the network and of an engine alone. */
import type { Client } from '@potluck/client'
import { DEFAULT_SAMPLING, type ChatMessage } from '@potluck/protocol'
import type { Engine } from '../../node/engine/index.ts'

export interface OneToken {
  messages: readonly ChatMessage[]
  signal: AbortSignal
}

/** Milliseconds from the call to the first delta. @param model default: the client's choice */
export async function throughNetwork(client: Client, { messages, signal }: OneToken, model = 'auto'): Promise<number> {
  const begin = performance.now()
  let first: number | undefined
  const answer = client.chat({ model, messages, maxTokens: 1, temperature: 0, signal })
  for await (const part of answer) if (part.type === 'delta') first ??= performance.now() - begin
  return present(first)
}

/** The same request to an engine of this process: its template, its tokenizer, prefill and one token. */
export async function throughEngine(engine: Engine, { messages, signal }: OneToken): Promise<number> {
  const begin = performance.now()
  let first: number | undefined
  const promptTokens = await engine.tokenize({ messages }, signal)
  const sampling = { ...DEFAULT_SAMPLING, seed: 0n, temperature: 0 }
  const job = { promptTokens, answerTokens: [], sampling, maxTokens: 1, stop: [], credit: 1 }
  for await (const event of engine.generate(job, signal))
    if (event.type === 'delta') first ??= performance.now() - begin
  return present(first)
}

function present(first: number | undefined): number {
  if (first === undefined) throw new Error('An answer without a token.')
  return first
}
