/**
 * A Go peer as a circuit relay. It ends a relayed connection at 128 KiB or 2 minutes without an error. The client moves
 * to another connection before that, and the answer continues.
 */
import { createClient } from '@potluck/client'
import { expect, onTestFinished, test } from 'vitest'

import { event, node, relay } from '../e2e/node/harness.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { goPeer } from './peer.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
const TEXT = 'The quick brown fox jumps over the lazy dog. '

interface Case {
  /** Of the relay. */
  args?: string[]
  /** The answer has one byte for each token. */
  tokens: number
  /** Before each token. */
  delayMs?: number
  /** Connections that the answer needs at least. */
  connections: number
}

async function answerThroughRelay({ args = [], tokens, delayMs = 0, connections }: Case): Promise<void> {
  const reply = TEXT.repeat(Math.ceil(tokens / TEXT.length)).slice(0, tokens)
  const engine = new ScriptedEngine({
    contextLength: 4 * tokens,
    reply: () => reply,
    before: async ({ kind }) => {
      if (kind === 'token' && delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  })
  const start = await relay()
  const go = await goPeer('-mode', 'relay', ...args)
  // The node listens nowhere else.
  const serving = await node(engine, { listen: [`${go.addresses[0]!}/p2p-circuit`], bootstrap: start.addresses() })
  await event(serving, 'advertised')
  const client = await createClient({ bootstrap: start.addresses(), mdns: false, scope: 'local' })
  onTestFinished(async () => await client.stop())

  const began = performance.now()
  const { text, metadata } = await client.chat({ messages: MESSAGES, maxTokens: tokens + 1 }).result()
  const codes = metadata.failures.map(({ code }) => code)
  process.stderr.write(`${tokens} tokens in ${Math.round(performance.now() - began)} ms, moves: ${codes.join(' ')}\n`)
  expect(text).toBe(reply)
  expect(metadata).toMatchObject({ peerId: serving.peerId.toString(), relayed: true })
  expect(codes.length).toBeGreaterThanOrEqual(connections - 1)
  expect(new Set(codes)).toEqual(new Set(['relay_limit']))
  // The node did nothing wrong, so the next request goes to it at once.
  const again = await client.chat({ messages: MESSAGES, maxTokens: 1 }).result()
  expect(again.metadata.peerId).toBe(serving.peerId.toString())
}

test('an answer of more than 128 KiB arrives through a relay with the default limits', async () => {
  await answerThroughRelay({ tokens: 12_000, connections: 3 })
})

test('an answer that takes longer than the relay carries a connection arrives', async () => {
  await answerThroughRelay({ args: ['-duration', '6s'], tokens: 900, delayMs: 20, connections: 3 })
})

test('an answer arrives through a relay with small limits of data and time', async () => {
  await answerThroughRelay({ args: ['-duration', '6s', '-data', '40000'], tokens: 3000, delayMs: 3, connections: 3 })
})

test.runIf(process.env['POTLUCK_TEST_SLOW'] === '1')(
  'an answer of more than 2 minutes arrives through a relay with the default limits',
  { timeout: 300_000 },
  async () => {
    await answerThroughRelay({ tokens: 1400, delayMs: 100, connections: 2 })
  }
)
