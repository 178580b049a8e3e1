import type { ChatInput, OutputConstraint, PromptInput, ResponseFormat, Tool } from './generation.ts'

/** Returns the fields of a request that constrain its answer. */
export function outputConstraintOf({
  input,
  responseFormat,
  minTokens = 0,
  stopTokens = []
}: {
  input: PromptInput
  responseFormat?: ResponseFormat
  minTokens?: number
  stopTokens?: readonly number[]
}): OutputConstraint {
  const format = {
    ...(responseFormat === undefined ? {} : { responseFormat }),
    ...(minTokens === 0 ? {} : { minTokens }),
    ...(stopTokens.length === 0 ? {} : { stopTokens })
  }
  if ('prompt' in input) return { chat: false, ...format }
  const { tools, toolChoice, parallelToolCalls, reasoningEffort } = input
  return {
    chat: true,
    ...format,
    ...(tools === undefined ? {} : { tools }),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
    ...(reasoningEffort === undefined ? {} : { reasoningEffort })
  }
}

/**
 * Returns the tools that the prompt lists. If the request chooses one tool, the prompt still lists all tools. So
 * requests that choose different tools have the same prompt, and the node evaluates it only once.
 */
export function offeredTools({ tools = [], toolChoice }: Omit<ChatInput, 'messages'>): readonly Tool[] {
  return toolChoice === 'none' ? [] : tools
}
