/** Converts OpenAI's chat messages to the network's messages. */
import type { ChatMessage } from '@potluck/protocol'
import { z } from 'zod'

import { optional } from '../validate.ts'

export interface ContentPart {
  text: string | undefined
  refusal: string | undefined
}

type Content = string | ({ type: string } & ContentPart)[]

export type MessageRequest =
  | { role: 'system' | 'developer' | 'user'; content: Content; name: string | undefined }
  | { role: 'assistant'; content: Content | undefined; tool_calls: ToolCallRequest[] | undefined }
  | { role: 'tool'; content: Content; tool_call_id: string }

interface ToolCallRequest {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/**
 * A text, or a list of parts. Only parts with text are supported, because no node serves a model for images or sound.
 */
const content: z.ZodType<Content> = z.union([
  z.string(),
  z.array(
    z.looseObject({ type: z.string(), text: optional(z.string()), refusal: optional(z.string()) }).check((context) => {
      const { type, text, refusal } = context.value
      if ((type === 'text' && text !== undefined) || (type === 'refusal' && refusal !== undefined)) return
      const message =
        type === 'text' || type === 'refusal'
          ? `a part of type '${type}' requires the field '${type}'`
          : `parts of type ${JSON.stringify(type)} are not supported; only text is`
      context.issues.push({ code: 'custom', input: type, path: ['type'], message })
    })
  )
])

const toolCall = z.looseObject({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string().min(1), arguments: z.string() })
})

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content, name: optional(z.string()) }),
  z.looseObject({
    role: z.literal('assistant'),
    content: optional(content),
    tool_calls: optional(z.array(toolCall))
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string().min(1) })
])

export const messagesField: z.ZodType<MessageRequest[]> = z.array(message).min(1)

/**
 * No chat template gives the model the names of users. If the users of a chat have different names, the gateway writes
 * the name before the text. A single name tells the model nothing, and frameworks name the assistant by its role.
 */
export function toMessages(messages: readonly MessageRequest[]): ChatMessage[] {
  const names = new Set(messages.flatMap((given) => (given.role === 'user' ? [given.name] : [])))
  return messages.map((given): ChatMessage => {
    const text = textOf(given.content)
    switch (given.role) {
      case 'system':
      case 'developer':
        return { role: 'system', content: text }
      case 'user': {
        const { name = '' } = given
        return { role: 'user', content: name === '' || names.size === 1 ? text : `${name}: ${text}` }
      }
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

/** Puts each part on its own line, as other servers do. */
export function textOf(given: string | ContentPart[] | undefined): string {
  if (given === undefined || typeof given === 'string') return given ?? ''
  return given.map(({ text, refusal }) => text ?? refusal ?? '').join('\n')
}
