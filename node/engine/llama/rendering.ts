/**
 * The prompt of a chat. Auditors and nodes that continue an answer compare its token ids, so a change of its result for
 * any chat needs a new version: `RENDERING` of the protocol. `test/unit/engine/rendering.test.ts` compares a few chats.
 */
import { offeredTools, type ChatInput } from '@potluck/protocol'
import { withoutTools } from '../output/generic-tools.ts'
import type { ChatTemplate, RenderedPart } from './template.ts'
import type { LearnedFormat } from './tool-call-format.ts'

/** @throws PotluckError `invalid_request` if the template refuses the conversation */
export function renderChat(
  input: ChatInput,
  template: ChatTemplate,
  format: Pick<LearnedFormat, 'native' | 'textArguments'> | undefined
): RenderedPart[] {
  const tools = offeredTools(input)
  const { messages, reasoningEffort } = input
  return format?.native === true
    ? template.render(messages, { tools, reasoningEffort, textArguments: format.textArguments })
    : template.render(withoutTools(messages, tools), { reasoningEffort })
}
