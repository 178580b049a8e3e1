import { createClient, type ClientOptions } from '@potluck/client'

/** Streams the answer of any chat model, then writes which node gave it. */
export async function chat(options: ClientOptions, write: (text: string) => void): Promise<void> {
  const client = await createClient(options)
  try {
    const answer = client.chat({ messages: [{ role: 'user', content: 'Tell me a story about a fox.' }] })
    for await (const part of answer) {
      if (part.type === 'delta') write(part.text)
    }
    const { usage, metadata } = await answer.result()
    write(`\n${usage.completionTokens} tokens from ${metadata.peerId}, the first after ${metadata.ttftMs} ms\n`)
  } finally {
    await client.stop()
  }
}
