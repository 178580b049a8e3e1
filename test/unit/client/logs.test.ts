/** What the client logs under `potluck:client:*`: why it chose a node, and nothing that a user or a model wrote. */
import { format } from 'node:util'

import { disable, enable } from '@libp2p/logger'
import { DEFAULT_TIMEOUTS } from '@potluck/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { toAsk } from '../../../client/base/request.ts'
import { generate } from '../../../client/generate/generate.ts'
import { FakeClock, FakeDirectory, newSelector } from '../select/fakes.ts'
import { knownNode, model } from '../select/help.ts'
import { accepted, delta, done, failure, scriptedSend } from './scripted-send.ts'

const PROMPT = 'zanzibar'
const ANSWER = ['quixo', 'tic']

let lines: string[]

beforeEach(() => {
  lines = []
  const write = (...values: unknown[]): boolean => lines.push(format(...values)) > 0
  vi.spyOn(process.stderr, 'write').mockImplementation(write as typeof process.stderr.write)
  vi.spyOn(console, 'error').mockImplementation(write)
})

afterEach(() => {
  disable()
  vi.restoreAllMocks()
})

/** Asks for an answer. The first node fails after a token, the second continues, and the gate refuses a third. */
async function answer(): Promise<string> {
  const serving = (peer: string, decodeTokensPerSecond: number): ReturnType<typeof knownNode> =>
    knownNode(peer, { card: { models: [model({ decodeTokensPerSecond })] } })
  const directory = new FakeDirectory([
    serving('peer-of-the-first', 1_000),
    serving('peer-of-the-second', 10),
    knownNode('peer-that-drains', { card: { draining: true } })
  ])
  const clock = new FakeClock()
  const parts = generate(toAsk({ messages: [{ role: 'user', content: PROMPT }] }), {
    send: scriptedSend({
      'peer-of-the-first': async function* first() {
        yield accepted()
        yield delta(ANSWER[0]!, 10)
        throw failure('engine_failed', 'peer-of-the-first')
      },
      'peer-of-the-second': async function* second() {
        yield accepted()
        yield delta(ANSWER[1]!, 11)
        yield done(2)
      }
    }),
    directory,
    selector: newSelector(directory, { now: clock.now }).selector,
    clock,
    timeouts: DEFAULT_TIMEOUTS,
    signal: new AbortController().signal,
    canAudit: () => false,
    onAnswer: () => undefined
  })
  let text = ''
  for await (const part of parts) if (part.type === 'delta') text += part.text
  return text
}

test('an answer with a failover logs its picks, its failure, its resumption and the gate', async () => {
  enable('potluck:client:*')
  expect(await answer()).toBe(ANSWER.join(''))
  for (const line of [
    /potluck:client:select gate ….*drains: draining/,
    /potluck:client:select pick ….*first as cold, predicted \d+ ms to the first token and \d+ ms in all/,
    /potluck:client:select ….*first ended with engine_failed after \d+ ms/,
    /potluck:client:generate ….*first failed: engine_failed, asking another node/,
    /potluck:client:select pick ….*second as cold/
  ]) {
    expect(lines.filter((logged) => line.test(logged))).toHaveLength(1)
  }
})

test('no line contains a word of the prompt or of the answer', async () => {
  enable('potluck:client:*')
  await answer()
  expect(lines.length).toBeGreaterThan(4)
  for (const word of [PROMPT, ...ANSWER]) expect(lines.join('\n')).not.toContain(word)
})

test('the logs are silent by default', async () => {
  await answer()
  expect(lines).toEqual([])
})
