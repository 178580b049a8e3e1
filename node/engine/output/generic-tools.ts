/**
 * Tools for a chat template that does not support them. The system message describes the tools. Calls and results
 * become text in the format `GENERIC_CALLS`.
 */
import type { ChatMessage, Tool } from '@potluck/protocol'
import { GENERIC_CALLS, type ToolCallFormat } from './chat-format.ts'

/** Rewrites a chat so that its template needs no support for tools. */
export function withoutTools(messages: readonly ChatMessage[], tools: readonly Tool[]): ChatMessage[] {
  const plain = messages.map(({ role, content, toolCalls = [] }): ChatMessage => {
    if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` }
    if (toolCalls.length === 0) return { role, content }
    return { role, content: [content, written(toolCalls)].filter((part) => part !== '').join('\n') }
  })
  if (tools.length === 0) return plain
  return instructed(
    plain,
    instructions(tools)
      .map(({ text }) => text)
      .join('')
  )
}

function written(calls: NonNullable<ChatMessage['toolCalls']>): string {
  const { opening, between = '', closing } = GENERIC_CALLS
  const texts = calls.map((call) => `{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}`)
  return `${opening}${texts.join(between)}${closing}`
}

/** A part of the node's own text about tools. Only `template` can contain control tokens. */
export interface InstructionPart {
  type: 'template' | 'content'
  text: string
}

/** Describes the tools to a model that writes calls in this format, an object or a name with an object. */
export function instructions(tools: readonly Tool[], format: ToolCallFormat = GENERIC_CALLS): InstructionPart[] {
  const described = tools.map(({ name, description, parameters }) => JSON.stringify({ name, description, parameters }))
  return [
    {
      type: 'template',
      text: 'You can call these tools. Each has a name, a description and the JSON schema of its arguments:\n'
    },
    { type: 'content', text: described.join('\n') },
    { type: 'template', text: `\nTo call one, answer with nothing but this, once for each call:\n${example(format)}` }
  ]
}

function example(format: ToolCallFormat): string {
  const name = "the tool's name"
  const call =
    'name' in format
      ? `{"${format.name}": "${name}", "${format.arguments}": {}}`
      : `${name}${'separator' in format ? format.separator : ''}{}`
  return `${format.opening}${call}${format.closing}`
}

function instructed(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: text }, ...messages]
  return [{ role: 'system', content: `${first.content}\n\n${text}` }, ...rest]
}
