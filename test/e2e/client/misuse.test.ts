/** What the client says to a program that uses it wrongly. */
import { createClient, type ChatOptions, type Client, type ClientOptions } from '@potluck/client'
import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { node } from '../node/harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const

async function connected(): Promise<Client> {
  const serving = await node(new ScriptedEngine({ reply: () => '{"colour":"red"}' }))
  const client = await createClient({ bootstrap: serving.addresses(), mdns: false })
  onTestFinished(async () => await client.stop())
  return client
}

test('an unknown option is refused with the option that was meant', async () => {
  const client = await connected()
  const invalid = (says: string): object => ({
    code: 'invalid_request',
    message: expect.stringContaining(says) as string
  })
  expect(() => client.chat({ messages: MESSAGES, max_tokens: 5 } as ChatOptions)).toThrow(
    expect.objectContaining(invalid('chat has no option "max_tokens": use maxTokens'))
  )
  expect(() => client.complete({ prompt: 'x', stream: true } as never)).toThrow(
    expect.objectContaining(invalid('complete has no option "stream": complete takes prompt, model'))
  )
  await expect(client.embed({ input: ['x'], dimensions: 4 } as never)).rejects.toMatchObject(invalid('"dimensions"'))
  await expect(createClient({ bootstraps: [] } as ClientOptions)).rejects.toMatchObject(invalid('"bootstraps"'))
})

test('a call after stop() says that the client was stopped', async () => {
  const client = await connected()
  // Now the client knows a node, so the next call does not start with a lookup.
  await client.chat({ messages: MESSAGES }).text()
  await client.stop()
  const stopped = { code: 'aborted', message: 'the client was stopped' }
  await expect(client.chat({ messages: MESSAGES }).text()).rejects.toMatchObject(stopped)
  await expect(client.embed({ input: ['x'] })).rejects.toMatchObject(stopped)
  await expect(client.models()).rejects.toMatchObject(stopped)
})

test('a request for a model that no node serves is not worth a retry', async () => {
  const client = await connected()
  const asked = client.chat({ messages: MESSAGES, model: 'no/such:Q8_0' }).text()
  await expect(asked).rejects.toMatchObject({ code: 'no_providers', retryable: false })
})

test('`finishReason` tells a JSON document that is cut off at the limit from a whole one', async () => {
  const client = await connected()
  const asked = { messages: MESSAGES, responseFormat: { type: 'json_object' } } as const
  const cut = await client.chat({ ...asked, maxTokens: 1 }).result()
  expect(cut.finishReason).toBe('length')
  expect(() => JSON.parse(cut.text) as unknown).toThrow(SyntaxError)
  const whole = await client.chat(asked).result()
  expect([whole.finishReason, JSON.parse(whole.text)]).toEqual(['stop', { colour: 'red' }])
})
