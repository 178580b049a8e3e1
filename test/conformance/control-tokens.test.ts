/** A model that marks its tool calls with control tokens, which an answer otherwise does not show. */
import { DEFAULT_SAMPLING, type ChatMessage, type OutputConstraint, type Tool } from '@potluck/protocol'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'

import { startLlamaEngine, type EngineEvent } from '../../node/engine/index.ts'
import { crumbVariant } from '../bench/crumb-variant.ts'

/** `<|pad|>` is a control token of crumb's vocabulary. */
const MARK = '<|pad|>'
const TEMPLATE = `{% for m in messages %}{% if loop.first and tools %}<|im_start|>system
{{ tools | tojson }}<|im_end|>
{% endif %}<|im_start|>{{ m.role }}
{{ m.content }}{% for c in m.tool_calls or [] %}${MARK}{{ c.function.name }}${MARK}{{ c.function.arguments | tojson }}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
const TOOL: Tool = {
  name: 'find',
  parameters: {
    type: 'object',
    properties: { kind: { enum: ['fox', 'owl'] } },
    required: ['kind'],
    additionalProperties: false
  }
}
const ASK: ChatMessage[] = [{ role: 'user', content: 'Find it.' }]

test('the engine writes and reads the calls, and the prompt of the next round has the tokens', async () => {
  await using crumb = await crumbVariant({ template: TEMPLATE })
  const logger = pino({ level: 'silent' })
  const engine = await startLlamaEngine({ modelPath: crumb.path, gpu: false, threads: 1, slots: 1, logger })
  onTestFinished(async () => await engine.close())
  const constraint: OutputConstraint = { chat: true, tools: [TOOL], toolChoice: 'required', parallelToolCalls: false }
  const promptTokens = await engine.tokenize({ messages: ASK, tools: [TOOL], toolChoice: 'required' })
  const sampling = { ...DEFAULT_SAMPLING, seed: 1n }
  const job = { promptTokens, answerTokens: [], sampling, maxTokens: 100, stop: [], constraint, credit: 100 }
  const events: EngineEvent[] = []
  for await (const event of engine.generate(job)) events.push(event)
  const deltas = events.flatMap((event) => (event.type === 'delta' ? [event.delta] : []))
  expect(deltas.map(({ text }) => text).join('')).toBe('')
  const calls = deltas.flatMap(({ toolCalls = [] }) => toolCalls)
  expect(calls[0]).toMatchObject({ index: 0, name: 'find' })
  const json = calls.map((call) => call.arguments).join('')
  expect(JSON.parse(json)).toEqual({ kind: expect.stringMatching(/fox|owl/) })
  expect(events.at(-1)).toMatchObject({ type: 'done', finishReason: 'tool_calls' })

  const answerTokens = deltas.flatMap(({ tokens }) => tokens)
  const [mark] = answerTokens
  expect(answerTokens.filter((token) => token === mark)).toHaveLength(2)
  const called: ChatMessage = {
    role: 'assistant',
    content: '',
    toolCalls: [{ id: 'x', name: 'find', arguments: json }]
  }
  const next = await engine.tokenize({ messages: [...ASK, called], tools: [TOOL] })
  expect(next.filter((token) => token === mark)).toHaveLength(2)
  // A user who writes the mark does not write the token.
  const typed = await engine.tokenize({ messages: [{ role: 'user', content: MARK }], tools: [TOOL] })
  expect(typed).not.toContain(mark)
})
