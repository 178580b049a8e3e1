import { createClient, type ClientOptions } from '@potluck/client'

/**
 * Asks one model twice with the same seed. Nodes with these weights and the same kind of hardware give the same answer.
 * Another kind computes slightly different numbers, so the answer can differ after some words.
 */
export async function repeat(options: ClientOptions, write: (text: string) => void): Promise<void> {
  const client = await createClient(options)
  try {
    const [model] = await client.models()
    if (model === undefined) throw new Error('no model is served now')
    const question = { model: model.digest, prompt: 'Once upon a time', seed: 7n, maxTokens: 20 }
    const first = await client.complete(question).text()
    const second = await client.complete(question).text()
    write(`${model.name}: ${first === second ? 'the same' : 'not the same'}\n`)
  } finally {
    await client.stop()
  }
}
