/** An answer whose node fails in the middle must equal the same answer without the failure. */
import { createClient, type AnswerResult, type GenerationOptions } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'
import { describe, expect, onTestFinished, test } from 'vitest'

import type { EngineBackend } from '../../node/engine/interface.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { event, node, relay } from '../e2e/node/harness.ts'

const ANSWER = 'The quick brown fox jumps over the lazy dog.'

/** The answer of a network of two nodes. The node that is asked first fails at token `cut`. */
async function failingAt(
  cut: number,
  options: GenerationOptions,
  [one, other]: readonly [Partial<EngineBackend>, Partial<EngineBackend>] = [{}, {}]
): Promise<AnswerResult> {
  const { addresses } = await relay()
  // True after the nodes have measured their rates, so that the failure happens in the answer.
  let armed = false
  const engine = (backend: Partial<EngineBackend>): ScriptedEngine =>
    new ScriptedEngine({
      backend,
      reply: () => ANSWER,
      before: ({ kind, position }) => {
        if (!armed || kind !== 'token' || position !== cut) return
        armed = false
        throw new PotluckError('engine_failed', 'the engine crashed')
      }
    })
  for (const serving of [engine(one), engine(other)]) {
    const started = await node(serving, { bootstrap: addresses() })
    await event(started, 'advertised')
  }
  armed = true
  const client = await createClient({ bootstrap: addresses(), mdns: false })
  onTestFinished(async () => await client.stop())
  const answer = client.chat({ messages: [{ role: 'user', content: 'hello' }], ...options })
  let streamed = ''
  for await (const part of answer) if (part.type === 'delta') streamed += part.text
  const result = await answer.result()
  expect(armed).toBe(false)
  expect(streamed).toBe(result.text)
  return result
}

describe('a node fails after it generated the beginning of a stop sequence', () => {
  test.each([17, 20])('at token %i: the other node generates the rest, and the answer stops there', async (cut) => {
    const { text, finishReason, metadata } = await failingAt(cut, { stop: ['fox jumps'] })
    expect([text, finishReason]).toEqual(['The quick brown ', 'stop'])
    expect(metadata.failures).toMatchObject([{ code: 'engine_failed', tokens: cut }])
  })

  test('the other node generates different text: the beginning appears in the answer once', async () => {
    const { text, finishReason } = await failingAt(18, { stop: ['fox sleeps'] })
    expect([text, finishReason]).toEqual([ANSWER, 'stop'])
  })
})

describe('the answer says how its nodes continued it', () => {
  const cpu = { engine: 'llama/1 avx2', kvType: 'bf16/f16', flashAttention: true, schedule: 'any' }
  const oneThread = { ...cpu, kvType: 'f16/f16', schedule: 'blocks-64' }

  test.each<[string, [Partial<EngineBackend>, Partial<EngineBackend>], string]>([
    ['two processors with the same kernels', [cpu, cpu], 'exact'],
    ['two processors with blocks', [oneThread, oneThread], 'exact'],
    ['one thread and two threads', [oneThread, cpu], 'same_model'],
    ['two threads and one thread', [cpu, oneThread], 'same_model'],
    ['two processors with other kernels', [cpu, { ...cpu, engine: 'llama/1 avx' }], 'same_model'],
    [
      'a processor and a GPU',
      [cpu, { ...cpu, accelerator: 'vulkan', kvType: 'f16/f16', schedule: 'none' }],
      'same_model'
    ],
    [
      'two GPUs',
      [
        { ...cpu, accelerator: 'cuda' },
        { ...cpu, accelerator: 'cuda' }
      ],
      'same_model'
    ],
    [
      'a cache whose logits depend on the batch',
      [
        { ...cpu, kvType: 'f16/f16', schedule: 'none' },
        { ...cpu, kvType: 'f16/f16', schedule: 'none' }
      ],
      'same_model'
    ]
  ])('%s', async (_, backends, continuation) => {
    const { metadata } = await failingAt(5, {}, backends)
    expect(metadata.failures).toMatchObject([{ code: 'engine_failed', tokens: 5 }])
    expect(metadata.continuation).toBe(continuation)
  })

  test('it says nothing if the node failed before its first token', async () => {
    const { metadata } = await failingAt(0, {}, [cpu, cpu])
    expect(metadata.failures).toMatchObject([{ tokens: 0 }])
    expect(metadata).not.toHaveProperty('continuation')
  })
})
