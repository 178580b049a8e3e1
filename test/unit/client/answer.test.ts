/** An answer that a malicious node began, and what its caller gets. */
import { Answer, type AnswerMetadata, type AnswerPart } from '@potluck/client'
import { PotluckError, type ErrorCode } from '@potluck/protocol'
import { expect, test } from 'vitest'

const metadata: AnswerMetadata = {
  peerId: 'peer',
  model: { digest: `sha256:${'a'.repeat(64)}`, name: 'a/b:Q4_0' },
  address: '/ip4/5.9.0.1/tcp/4001',
  relayed: false,
  encryption: '/noise',
  muxer: '/yamux/1.0.0',
  ttftMs: 1,
  totalMs: 2,
  tokensPerSecond: 3,
  seed: 4n,
  timings: { queueMs: 0, prefillMs: 1, decodeMs: 1 },
  failures: [],
  receipt: new Uint8Array()
}
const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }

/** An answer whose first starts yield a forged token and fail. */
function answerAfter(failures: number, code: ErrorCode): { answer: Answer; starts: () => number } {
  let starts = 0
  async function* start(): AsyncGenerator<AnswerPart, void, void> {
    starts++
    const text = starts <= failures ? 'forged' : 'honest'
    yield { type: 'delta', text, tokens: [starts] }
    if (starts <= failures) throw new PotluckError(code, 'the beginning of the answer does not come from the model')
    yield { type: 'finish', finishReason: 'stop', usage, metadata }
  }
  return { answer: new Answer(start, new AbortController().signal), starts: () => starts }
}

test('a rejected answer of which nobody has read a part starts again', async () => {
  const { answer } = answerAfter(2, 'continuation_rejected')
  const { text, tokens } = await answer.result()
  expect({ text, tokens }).toEqual({ text: 'honest', tokens: [3] })
  expect(await answer.text()).toBe('honest')
})

test('a third rejection fails the answer', async () => {
  const { answer, starts } = answerAfter(3, 'continuation_rejected')
  await expect(answer.text()).rejects.toMatchObject({ code: 'continuation_rejected' })
  await expect(answer.result()).rejects.toMatchObject({ code: 'continuation_rejected' })
  expect(starts()).toBe(3)
})

test('an answer whose parts are read does not start again, because the reader has seen the forged part', async () => {
  const { answer, starts } = answerAfter(1, 'continuation_rejected')
  const read = async (): Promise<void> => {
    for await (const _ of answer);
  }
  await expect(read()).rejects.toMatchObject({ code: 'continuation_rejected' })
  await expect(answer.result()).rejects.toMatchObject({ code: 'continuation_rejected' })
  expect(starts()).toBe(1)
})

test('another failure does not start the answer again', async () => {
  const { answer, starts } = answerAfter(1, 'no_providers')
  await expect(answer.result()).rejects.toMatchObject({ code: 'no_providers' })
  expect(starts()).toBe(1)
})
