/**
 * A node is killed while it writes a document for a caller of the gateway. The test uses real processes and engines.
 */
import { expect, test } from 'vitest'

import { validatorOf } from '../unit/grammar/schemas.ts'
import { events, post, type Chunk } from '../e2e/gateway/harness.ts'
import { crumbNetwork } from '../clients/crumb-network.ts'

const network = crumbNetwork()

/** Long enough that the node is killed in the middle of the document. */
const SCHEMA = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 20, maxLength: 40 },
    animals: {
      type: 'array',
      minItems: 8,
      maxItems: 8,
      items: {
        type: 'object',
        properties: {
          name: { type: 'string', minLength: 10, maxLength: 20 },
          legs: { type: 'integer', minimum: 0, maximum: 8 },
          wild: { type: 'boolean' }
        },
        required: ['name', 'legs', 'wild'],
        additionalProperties: false
      }
    }
  },
  required: ['title', 'animals'],
  additionalProperties: false
}

test('another node continues the document, which equals the document without the kill', async () => {
  /** The document, and how many nodes failed. */
  const ask = async (kill: boolean): Promise<{ text: string; failovers: number | undefined }> => {
    const response = await post(network.url, 'chat/completions', {
      messages: [{ role: 'user', content: 'Name some animals.' }],
      response_format: { type: 'json_schema', json_schema: { name: 'animals', strict: true, schema: SCHEMA } },
      temperature: 1,
      seed: 5,
      max_tokens: 700,
      stream: true,
      stream_options: { include_usage: true }
    })
    let text = ''
    let killed = false
    let failovers: number | undefined
    for await (const { data } of events(response)) {
      if (!data.startsWith('{')) continue
      const chunk = JSON.parse(data) as Chunk & { usage?: { potluck: { failovers: number } } }
      expect(chunk.error).toBeUndefined()
      text += chunk.choices[0]?.delta?.content ?? ''
      failovers = chunk.usage?.potluck.failovers ?? failovers
      if (!kill || killed || text === '') continue
      killed = true
      const serving = network.nodes.find(({ peerId }) => peerId === response.headers.get('x-potluck-node'))
      serving?.kill('SIGKILL')
    }
    return { text, failovers }
  }

  const whole = await ask(false)
  const continued = await ask(true)
  expect(validatorOf(SCHEMA)(JSON.parse(continued.text))).toBe(true)
  expect(continued).toEqual({ text: whole.text, failovers: 1 })
})
