/** The client against real nodes. */
import { createClient, type Client, type ClientOptions } from '@potluck/client'
import { PotluckError, STREAM_WINDOW_BYTES } from '@potluck/protocol'
import { expect, onTestFinished, test } from 'vitest'

import { createClient as createBrowserClient } from '../../../client/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { event, gatedNode, LOOPBACK, node, relay, until } from '../node/harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
/** More than the window of a stream. The node does not read the rest after it has refused. */
const LONG = 'x'.repeat(4 * STREAM_WINDOW_BYTES)
const ANSWER = 'The quick brown fox jumps over the lazy dog.'

async function client(
  bootstrap: readonly string[],
  create = createClient,
  options: ClientOptions = {}
): Promise<Client> {
  const made = await create({ bootstrap, mdns: false, ...options })
  onTestFinished(async () => await made.stop())
  return made
}

function scripted(): ScriptedEngine {
  return new ScriptedEngine({ reply: () => ANSWER })
}

test('a chat crosses the network, and its counts and its receipt are valid', async () => {
  const { addresses } = await relay()
  const serving = await node(scripted(), { bootstrap: addresses() })
  await event(serving, 'advertised')
  const { text, usage, tokens, metadata } = await (await client(addresses())).chat({ messages: MESSAGES }).result()
  expect(text).toBe(ANSWER)
  expect(tokens).toHaveLength(usage.completionTokens)
  expect(metadata).toMatchObject({ peerId: serving.peerId.toString(), relayed: false, failures: [] })
})

test('log-probabilities arrive for each token, if the request asks for them', async () => {
  const serving = await node(scripted())
  const { tokens, logprobs } = await (
    await client(serving.addresses())
  )
    .chat({ messages: MESSAGES, topLogprobs: 2 })
    .result()
  expect(logprobs.map(({ chosen }) => chosen.token)).toEqual(tokens)
  for (const { top } of logprobs) expect(top).toHaveLength(2)
})

test('a node behind a relay is reached through the relay', async () => {
  const { addresses } = await relay()
  const [address = ''] = addresses()
  const serving = await node(scripted(), { listen: [`${address}/p2p-circuit`], bootstrap: addresses() })
  await event(serving, 'advertised')
  const { text, metadata } = await (await client(addresses())).chat({ messages: MESSAGES }).result()
  expect(text).toBe(ANSWER)
  expect(metadata).toMatchObject({ relayed: true, encryption: '/noise' })
  expect(metadata.address).toContain('/p2p-circuit')
})

test('the client of a browser reaches a node over WebSockets', async () => {
  const serving = await node(scripted(), { listen: [`${LOOPBACK}/ws`] })
  const { text, metadata } = await (
    await client(serving.addresses(), createBrowserClient)
  )
    .chat({ messages: MESSAGES })
    .result()
  expect(text).toBe(ANSWER)
  expect(metadata.address).toContain('/ws')
})

test('a reader that returns early frees the slot', async () => {
  const { gate, serving } = await gatedNode({ slots: 1 })
  const asking = await client(serving.addresses())
  const answer = asking.chat({ messages: MESSAGES })
  const parts = answer[Symbol.asyncIterator]()
  expect((await parts.next()).value).toMatchObject({ type: 'accepted' })
  await until(serving, ({ engine }) => engine?.activeSlots === 1)
  await parts.return?.()
  await until(serving, ({ engine }) => engine?.activeSlots === 0)
  gate.open()
  expect(await asking.chat({ messages: MESSAGES }).text()).toBe('ok')
})

test('a refusal arrives while a long prompt is still being sent', async () => {
  const { gate, serving } = await gatedNode({ contextLength: LONG.length }, { limits: { streamsPerPeer: 1 } })
  const asking = await client(serving.addresses())
  const running = asking.chat({ messages: MESSAGES }).text()
  await until(serving, ({ engine }) => engine?.activeSlots === 1)
  await expect(asking.complete({ prompt: LONG }).text()).rejects.toMatchObject({ code: 'rate_limited' })
  gate.open()
  expect(await running).toBe('ok')
})

test('while a node drains, running answers complete and new ones go to another node', async () => {
  const { addresses } = await relay()
  const { gate, serving } = await gatedNode({}, { bootstrap: addresses() })
  await event(serving, 'advertised')
  const asking = await client(addresses())
  const running = asking.chat({ messages: MESSAGES }).result()
  await until(serving, ({ engine }) => engine?.activeSlots === 1)

  const other = await node(scripted(), { bootstrap: addresses() })
  await event(other, 'advertised')
  const drained = serving.drain()
  const { metadata } = await asking.chat({ messages: MESSAGES }).result()
  expect(metadata.peerId).toBe(other.peerId.toString())
  gate.open()
  expect((await running).metadata.peerId).toBe(serving.peerId.toString())
  await drained
})

test('an engine that fails in the middle of an answer is a typed error', async () => {
  const engine = new ScriptedEngine({
    reply: () => ANSWER,
    before: ({ kind, position }) => {
      if (kind === 'token' && position === 5) throw new PotluckError('engine_failed', 'the engine crashed')
    }
  })
  const serving = await node(engine)
  const failing = (await client(serving.addresses())).chat({ messages: MESSAGES }).text()
  await expect(failing).rejects.toMatchObject({ code: 'engine_failed', peer: serving.peerId.toString() })
})
