/** Counts the tokens of a prompt. Only nodes have the model's tokenizer, so a node must count them. */
import type { Client, ChatOptions } from '@potluck/client'

/**
 * Asks for an answer of one token, and cancels it when a node accepts it. The node reports the length of the prompt before
 * it generates.
 *
 * @throws PotluckError as an answer
 */
export async function countPromptTokens(client: Pick<Client, 'chat'>, options: ChatOptions): Promise<number> {
  for await (const part of client.chat({ ...options, maxTokens: 1 })) {
    if (part.type === 'accepted') return part.promptTokens
  }
  throw new Error('an answer without its first part')
}
