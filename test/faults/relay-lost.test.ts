/** A node is behind two relays. One of them stops while it carries an answer. */
import { createClient } from '@potluck/client'
import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { event, node, relay } from '../e2e/node/harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
const ANSWER = 'The quick brown fox jumps over the lazy dog.'

test('the same node continues through the other relay, at the token where the stream was cut', async () => {
  const relays = [await relay(), await relay()]
  const addresses = relays.flatMap((each) => each.addresses())
  let held = Promise.resolve()
  const engine = new ScriptedEngine({
    reply: () => ANSWER,
    before: async ({ kind, position }) => {
      if (kind === 'token' && position === 1) await held
    }
  })
  const listen = addresses.map((address) => `${address}/p2p-circuit`)
  const hidden = await node(engine, { listen, bootstrap: addresses })
  await event(hidden, 'advertised')
  const client = await createClient({ bootstrap: addresses, mdns: false })
  onTestFinished(async () => await client.stop())

  const { metadata: before } = await client.chat({ messages: MESSAGES }).result()
  const carrier = relays.find(({ peerId }) => before.address.includes(peerId.toString()))!
  const lost = Promise.withResolvers<void>()
  held = lost.promise
  const answer = client.chat({ messages: MESSAGES })
  let text = ''
  for await (const part of answer) {
    if (part.type !== 'delta') continue
    if (text === '') {
      await carrier.stop()
      lost.resolve()
    }
    text += part.text
  }
  expect(text).toBe(ANSWER)
  const { metadata } = await answer.result()
  expect(metadata.failures).toEqual([{ peerId: hidden.peerId.toString(), code: 'stream_cut', tokens: 1 }])
  expect(metadata).toMatchObject({ peerId: hidden.peerId.toString(), relayed: true })
  expect(metadata.address).not.toContain(carrier.peerId.toString())
})
