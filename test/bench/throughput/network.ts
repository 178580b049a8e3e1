/** `network`: the whole path, from our client over libp2p to a node in its own process. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createClient, type Client } from '@potluck/client'
import type { BenchModel, Prompt, Target } from './target.ts'

const ENTRY = fileURLToPath(new URL('network-process.ts', import.meta.url))

/** The message of the node's process when the node is ready. */
export interface Serving {
  /** Addresses of the relay. */
  addresses: string[]
}

/** A node in its own process, and a client in this one. */
export interface ServedModel {
  client: Client
  /** The node's process, which has started the engine's. */
  pid: number
  close: () => Promise<void>
}

export async function serve(model: BenchModel, signal: AbortSignal): Promise<ServedModel> {
  const child = fork(ENTRY, [JSON.stringify(model)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit').then(() => {
    throw new Error("The node's process ended.")
  })
  exited.catch(() => undefined)
  const [{ addresses }] = (await Promise.race([once(child, 'message', { signal }), exited])) as [Serving]
  const client = await createClient({ bootstrap: addresses, scope: 'local', mdns: false, signal })
  return {
    client,
    pid: child.pid!,
    close: async () => {
      await client.stop()
      child.disconnect()
      await exited.catch(() => undefined)
    }
  }
}

export async function startNetwork(
  model: BenchModel,
  endTokens: readonly number[],
  signal: AbortSignal
): Promise<Target> {
  const { client, close } = await serve(model, signal)
  const logitBias = new Map(endTokens.map((token) => [token, -100]))
  const answer = async (prompt: Prompt, tokens: number): Promise<void> => {
    let count = 0
    const parts = client.complete({ prompt: prompt.text, maxTokens: tokens, logitBias, signal })
    for await (const part of parts) if (part.type === 'delta') count += part.tokens.length
    if (count !== tokens) throw new Error(`The node gave ${count} tokens instead of ${tokens}.`)
  }
  return {
    name: 'network',
    run: async (prompts, tokens) => {
      await Promise.all(prompts.map((prompt) => answer(prompt, tokens)))
    },
    close
  }
}
