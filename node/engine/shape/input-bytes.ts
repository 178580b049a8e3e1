import type { PromptInput } from '@potluck/protocol'

/** Bytes of what somebody wrote in a request: at least so much the template renders. */
export function inputBytes(input: PromptInput): number {
  if ('prompt' in input) return Buffer.byteLength(input.prompt)
  const texts = input.messages.flatMap(({ content, toolCalls = [] }) => [
    content,
    ...toolCalls.map((call) => call.arguments)
  ])
  const tools = input.tools === undefined ? 0 : Buffer.byteLength(JSON.stringify(input.tools))
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), tools)
}
