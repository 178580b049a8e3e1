/** Converts the input items of a response to the network's messages. */
import type { ChatMessage, ToolCall } from '@potluck/protocol'
import { z } from 'zod'

import { textOf, type ContentPart } from './messages.ts'
import { optional } from '../validate.ts'

type Content = string | ContentPart[]

export type InputItem =
  | { type: 'message' | undefined; role: 'system' | 'developer' | 'user' | 'assistant'; content: Content }
  | { type: 'function_call'; call_id: string; name: string; arguments: string }
  | { type: 'custom_tool_call'; call_id: string; name: string; input: string }
  | { type: 'function_call_output' | 'custom_tool_call_output'; call_id: string; output: Content }
  | { type: 'reasoning' }

const parts = z.array(
  z.looseObject({
    type: z.enum(['input_text', 'output_text', 'refusal'], 'only text is supported'),
    text: optional(z.string()),
    refusal: optional(z.string())
  })
)
const content: z.ZodType<Content> = z.union([z.string(), parts])

const item = z.union([
  z.looseObject({
    type: optional(z.literal('message')),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content
  }),
  z.looseObject({
    type: z.literal('function_call'),
    call_id: z.string().min(1),
    name: z.string().min(1),
    arguments: z.string()
  }),
  z.looseObject({
    type: z.literal('custom_tool_call'),
    call_id: z.string().min(1),
    name: z.string().min(1),
    input: z.string()
  }),
  z.looseObject({
    type: z.enum(['function_call_output', 'custom_tool_call_output']),
    call_id: z.string().min(1),
    output: content
  }),
  z.looseObject({ type: z.literal('reasoning') })
])

export const inputField: z.ZodType<string | InputItem[]> = z.union([z.string(), z.array(item).min(1)])

/** @param instructions become the first message */
export function toInputMessages(input: string | InputItem[], instructions: string | undefined): ChatMessage[] {
  const messages: ChatMessage[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }]
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }]
  for (const given of input) {
    switch (given.type) {
      case 'message':
      case undefined:
        messages.push({
          role: given.role === 'developer' ? 'system' : given.role,
          content: textOf(given.content)
        })
        break
      case 'function_call':
        addCall(messages, { id: given.call_id, name: given.name, arguments: given.arguments })
        break
      case 'custom_tool_call': {
        const args = JSON.stringify({ input: given.input })
        addCall(messages, { id: given.call_id, name: given.name, arguments: args })
        break
      }
      case 'function_call_output':
      case 'custom_tool_call_output':
        messages.push({ role: 'tool', content: textOf(given.output), toolCallId: given.call_id })
        break
      // No chat template repeats earlier reasoning to the model.
      case 'reasoning':
    }
  }
  return messages
}

/** Adds a call to the assistant's message. The responses API has a separate item for each call. */
function addCall(messages: ChatMessage[], call: ToolCall): void {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') messages.push({ role: 'assistant', content: '', toolCalls: [call] })
  else messages[messages.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), call] }
}
