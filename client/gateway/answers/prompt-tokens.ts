/** Only nodes have the model's tokenizer, so a node must tokenise a prompt. */
import type { AcceptedPart, ChatOptions, Client, CompletionOptions } from '@potluck/client'

/**
 * Asks for an answer of one token, and cancels it when a node accepts it. The node reports the tokens of the prompt
 * before it generates.
 *
 * @throws PotluckError as an answer
 */
export async function acceptedPrompt(
  client: Pick<Client, 'chat' | 'complete'>,
  options: ChatOptions | CompletionOptions
): Promise<AcceptedPart> {
  const one = { ...options, maxTokens: 1 }
  for await (const part of 'prompt' in one ? client.complete(one) : client.chat(one)) {
    if (part.type === 'accepted') return part
  }
  throw new Error('an answer without its first part')
}
