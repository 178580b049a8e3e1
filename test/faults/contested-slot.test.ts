/** An answer that loses its slot to another caller must equal the same answer without the interruption. */
import { createClient } from '@potluck/client'
import { expect, onTestFinished, test } from 'vitest'

import { caller, dial, event, gatedNode, relay, until } from '../e2e/node/harness.ts'
import { Call, request } from '../peers/caller-stream.ts'

const ANSWER = 'The quick brown fox jumps over the lazy dog.'
const CUT = 9

test('an answer gives its slot to a caller that has none, and goes on in its next turn', async () => {
  const { addresses } = await relay()
  const { engine, gate, serving } = await gatedNode(
    { slots: 1, reply: () => ANSWER },
    { bootstrap: addresses(), limits: { contestedAnswerMs: 1 } }
  )
  await event(serving, 'advertised')
  const client = await createClient({ bootstrap: addresses(), mdns: false })
  onTestFinished(async () => await client.stop())
  const answer = client.chat({ messages: [{ role: 'user', content: 'hello' }] })
  const finished = answer.result()
  await gate.holds()
  gate.step(1 + CUT)

  const other = await Call.open(await dial(await caller(), serving), request(engine))
  await other.expect('accepted')
  await until(serving, ({ requestsFinished }) => requestsFinished.busy === 1)
  gate.open()
  expect((await other.rest()).last).toMatchObject({ type: 'done' })

  const { text, metadata } = await finished
  expect(text).toBe(ANSWER)
  // This node takes the slot long before `LEAST_ANSWER_MS`, so the client counts a cut answer.
  expect(metadata.failures).toMatchObject([{ code: 'stream_cut', tokens: CUT }])
})
