/** The client with real nodes: tests that need both sides. */
import { createClient, type Client, type ClientOptions } from '@potluck/client'
import { PotluckError, STREAM_WINDOW_BYTES } from '@potluck/protocol'
import { expect, onTestFinished, test } from 'vitest'

import { createClient as createBrowserClient } from '../../../client/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { event, gatedNode, LOOPBACK, node, relay, until } from '../node/harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
/** More bytes than the window of a stream: when the node has refused, it does not read the rest. */
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

test('a chat over the network: text, usage and metadata agree', async () => {
  const { addresses } = await relay()
  const serving = await node(scripted(), { bootstrap: addresses() })
  await event(serving, 'advertised')
  const { text, usage, tokens, metadata } = await (await client(addresses())).chat({ messages: MESSAGES }).result()
  expect(text).toBe(ANSWER)
  expect(tokens).toHaveLength(usage.completionTokens)
  expect(metadata).toMatchObject({ peerId: serving.peerId.toString(), relayed: false, failures: [] })
})

test('each token has log-probabilities, if the caller asks for them', async () => {
  const serving = await node(scripted())
  const { tokens, logprobs } = await (
    await client(serving.addresses())
  )
    .chat({ messages: MESSAGES, topLogprobs: 2 })
    .result()
  expect(logprobs.map(({ chosen }) => chosen.token)).toEqual(tokens)
  for (const { top } of logprobs) expect(top).toHaveLength(2)
})

test('the client reaches a node behind a relay through the relay', async () => {
  const { addresses } = await relay()
  const [address = ''] = addresses()
  const serving = await node(scripted(), { listen: [`${address}/p2p-circuit`], bootstrap: addresses() })
  await event(serving, 'advertised')
  const { text, metadata } = await (await client(addresses())).chat({ messages: MESSAGES }).result()
  expect(text).toBe(ANSWER)
  expect(metadata).toMatchObject({ relayed: true, encryption: '/noise' })
  expect(metadata.address).toContain('/p2p-circuit')
})

test('a chat over WebSockets, with the transports of a browser', async () => {
  const serving = await node(scripted(), { listen: [`${LOOPBACK}/ws`] })
  const { text, metadata } = await (
    await client(serving.addresses(), createBrowserClient)
  )
    .chat({ messages: MESSAGES })
    .result()
  expect(text).toBe(ANSWER)
  expect(metadata.address).toContain('/ws')
})

test('when the reader stops reading, the node frees the slot', async () => {
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

test('the client receives a refusal while it still sends a long prompt', async () => {
  const { gate, serving } = await gatedNode({ contextLength: LONG.length }, { limits: { streamsPerPeer: 1 } })
  const asking = await client(serving.addresses())
  const running = asking.chat({ messages: MESSAGES }).text()
  await until(serving, ({ engine }) => engine?.activeSlots === 1)
  await expect(asking.complete({ prompt: LONG }).text()).rejects.toMatchObject({ code: 'rate_limited' })
  gate.open()
  expect(await running).toBe('ok')
})

test('when a node drains, it completes its running answers, and new requests go to another node', async () => {
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

test('if the engine fails in the middle of an answer, the error is `engine_failed`', async () => {
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
