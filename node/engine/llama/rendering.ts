/**
 * The prompt of a chat. Auditors and nodes that continue an answer compare its token ids, so a change of its result for
 * any chat needs a new version: `RENDERING` of the protocol. `test/unit/engine/rendering.test.ts` compares a few chats.
 */
import { offeredTools, type ChatInput, type ChatMessage } from '@potluck/protocol'
import { instructions, withoutTools } from '../output/generic-tools.ts'
import type { ChatTemplate, RenderedPart } from './template.ts'
import type { LearnedFormat } from './tool-call-format.ts'

type RenderedFormat = Pick<LearnedFormat, 'native' | 'calls' | 'textArguments' | 'undescribed' | 'single'>

/** @throws PotluckError `invalid_request` if the template refuses the conversation */
export function renderChat(
  input: ChatInput,
  template: ChatTemplate,
  format: RenderedFormat | undefined
): RenderedPart[] {
  const tools = offeredTools(input)
  const { messages, reasoningEffort } = input
  if (format?.native !== true) return template.render(withoutTools(messages, tools), { reasoningEffort })
  const { calls, textArguments, undescribed, single } = format
  const rounds = single === true ? messages.flatMap((_, index) => singleCalls(messages, index)) : messages
  if (undescribed === true && tools.length > 0) {
    return template.render(rounds, { reasoningEffort, textArguments, preface: instructions(tools, calls) })
  }
  return template.render(rounds, { tools, reasoningEffort, textArguments })
}

/** Returns the message. If it has several calls, returns a message for each call, followed by its result. */
function singleCalls(messages: readonly ChatMessage[], index: number): ChatMessage[] {
  const message = messages[index]!
  const start = messages.findLastIndex(({ role }, at) => at <= index && role !== 'tool')
  const { toolCalls: several = [] } = message.role === 'tool' ? (messages[start] ?? message) : message
  if (several.length < 2) return [message]
  // The results come with their calls. Others remain where they are.
  if (message.role === 'tool') return several.some(({ id }) => id === message.toolCallId) ? [] : [message]
  const others = messages.slice(index + 1)
  const end = others.findIndex(({ role }) => role !== 'tool')
  const results = end < 0 ? others : others.slice(0, end)
  return several.flatMap((call, at) => [
    { ...message, content: at === 0 ? message.content : '', toolCalls: [call] },
    ...results.filter(({ toolCallId }) => toolCallId === call.id)
  ])
}
