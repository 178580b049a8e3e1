import type { AnswerShape, ChatInput, PromptInput, ResponseFormat, Tool } from './generation.ts'

/** What a request says of its answer's shape. */
export function shapeOf({
  input,
  responseFormat
}: {
  input: PromptInput
  responseFormat?: ResponseFormat
}): AnswerShape {
  const format = responseFormat === undefined ? {} : { responseFormat }
  if ('prompt' in input) return { chat: false, ...format }
  const { tools, toolChoice, parallelToolCalls } = input
  return {
    chat: true,
    ...format,
    ...(tools === undefined ? {} : { tools }),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls })
  }
}

/** The tools that the model is told of; a choice of one leaves them all in the prompt, whose cache other requests share. */
export function offeredTools({ tools = [], toolChoice }: Omit<ChatInput, 'messages'>): readonly Tool[] {
  return toolChoice === 'none' ? [] : tools
}
