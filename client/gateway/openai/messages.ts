/** OpenAI's chat messages as the network's. */
import type { ChatMessage } from '@potluck/protocol'
import { z } from 'zod'

import { optional } from './validate.ts'

type Content = string | { type: string; text: string | undefined; refusal: string | undefined }[]

export type MessageRequest =
  | { role: 'system' | 'developer' | 'user'; content: Content }
  | { role: 'assistant'; content: Content | undefined; tool_calls: ToolCallRequest[] | undefined }
  | { role: 'tool'; content: Content; tool_call_id: string }

interface ToolCallRequest {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/** Text, or parts of which only texts can be taken: no model here sees or hears. */
const content: z.ZodType<Content> = z.union([
  z.string(),
  z.array(
    z.looseObject({ type: z.string(), text: optional(z.string()), refusal: optional(z.string()) }).check((context) => {
      const { type, text, refusal } = context.value
      if ((type === 'text' && text !== undefined) || (type === 'refusal' && refusal !== undefined)) return
      const message =
        type === 'text' || type === 'refusal'
          ? `a ${type} part needs its '${type}'`
          : `a part of type ${JSON.stringify(type)} cannot be taken; only text can`
      context.issues.push({ code: 'custom', input: type, path: ['type'], message })
    })
  )
])

/** Whose name a speaker has reaches no template, so that it could only be dropped. */
const nobody = optional(z.never('names of participants reach no model; write them into the content'))

const toolCall = z.looseObject({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string().min(1), arguments: z.string() })
})

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content, name: nobody }),
  z.looseObject({
    role: z.literal('assistant'),
    content: optional(content),
    tool_calls: optional(z.array(toolCall)),
    name: nobody
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string().min(1) })
])

export const messagesField: z.ZodType<MessageRequest[]> = z.array(message).min(1)

export function toMessages(messages: readonly MessageRequest[]): ChatMessage[] {
  return messages.map((given): ChatMessage => {
    const text = textOf(given.content)
    switch (given.role) {
      case 'system':
      case 'developer':
        return { role: 'system', content: text }
      case 'user':
        return { role: 'user', content: text }
      case 'tool':
        return { role: 'tool', content: text, toolCallId: given.tool_call_id }
      case 'assistant': {
        const { tool_calls = [] } = given
        if (tool_calls.length === 0) return { role: 'assistant', content: text }
        const toolCalls = tool_calls.map(({ id, function: { name, arguments: args } }) => ({
          id,
          name,
          arguments: args
        }))
        return { role: 'assistant', content: text, toolCalls }
      }
    }
  })
}

/** Parts stand on lines of their own, as other servers join them. */
function textOf(given: Content | undefined): string {
  if (given === undefined || typeof given === 'string') return given ?? ''
  return given.map(({ text, refusal }) => text ?? refusal ?? '').join('\n')
}
