import { createClient, type ClientOptions } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'

/** Cancels an answer after its first words, and writes the code of the error. */
export async function cancel(options: ClientOptions, write: (text: string) => void): Promise<void> {
  const client = await createClient(options)
  const stop = new AbortController()
  try {
    const messages = [{ role: 'user', content: 'Tell me a story about a fox.' }] as const
    for await (const part of client.chat({ messages, signal: stop.signal })) {
      if (part.type === 'delta') stop.abort()
    }
  } catch (error) {
    if (!(error instanceof PotluckError)) throw error
    write(`ended by ${error.code}; ${error.retryable ? 'worth a retry' : 'not worth a retry'}\n`)
  } finally {
    await client.stop()
  }
}
