/**
 * Tools for a chat template that does not support them. The system message describes the tools. Calls and results
 * become text in the format `GENERIC_CALLS`.
 */
import type { ChatMessage, Tool } from '@potluck/protocol'
import { GENERIC_CALLS } from './chat-format.ts'

/** Rewrites a chat so that its template needs no support for tools. */
export function withoutTools(messages: readonly ChatMessage[], tools: readonly Tool[]): ChatMessage[] {
  const plain = messages.map(({ role, content, toolCalls = [] }): ChatMessage => {
    if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` }
    if (toolCalls.length === 0) return { role, content }
    return { role, content: [content, written(toolCalls)].filter((part) => part !== '').join('\n') }
  })
  return tools.length === 0 ? plain : instructed(plain, instructions(tools))
}

function written(calls: NonNullable<ChatMessage['toolCalls']>): string {
  const { opening, between = '', closing } = GENERIC_CALLS
  const texts = calls.map((call) => `{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}`)
  return `${opening}${texts.join(between)}${closing}`
}

function instructions(tools: readonly Tool[]): string {
  const { opening, closing } = GENERIC_CALLS
  return [
    'You can call these tools. Each has a name, a description and the JSON schema of its arguments:',
    ...tools.map(({ name, description, parameters }) => JSON.stringify({ name, description, parameters })),
    'To call one, answer with nothing but this, once for each call:',
    `${opening}{"name": "the tool's name", "arguments": {}}${closing}`
  ].join('\n')
}

function instructed(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...messages]
  return [{ role: 'system', content: `${first.content}\n\n${text}` }, ...rest]
}
