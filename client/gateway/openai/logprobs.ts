/** Log-probabilities as the two APIs show them. */
import type { PositionLogprobs, TokenLogprob } from '@potluck/protocol'

export interface ChatLogprob {
  token: string
  logprob: number
  bytes: number[]
}

export type ChatLogprobs = { content: (ChatLogprob & { top_logprobs: ChatLogprob[] })[]; refusal: null }

/** What ends a turn is no part of the text: it has no bytes. */
function ofText({ chosen }: PositionLogprobs): boolean {
  return chosen.bytes.length > 0
}

export function chatLogprobs(positions: readonly PositionLogprobs[]): ChatLogprobs {
  const content = positions.filter(ofText).map(({ chosen, top }) => ({ ...one(chosen), top_logprobs: top.map(one) }))
  return { content, refusal: null }
}

function one({ bytes, logprob }: TokenLogprob): ChatLogprob {
  return { token: textOf(bytes), logprob, bytes: [...bytes] }
}

/** As the older API has them: columns. */
export interface CompletionLogprobs {
  tokens: string[]
  token_logprobs: number[]
  top_logprobs: Record<string, number>[]
  text_offset: number[]
}

/** @param offset characters of the text before the first of them */
export function completionLogprobs(positions: readonly PositionLogprobs[], offset: number): CompletionLogprobs {
  const columns: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  let at = offset
  for (const { chosen, top } of positions.filter(ofText)) {
    const token = textOf(chosen.bytes)
    columns.tokens.push(token)
    columns.token_logprobs.push(chosen.logprob)
    columns.top_logprobs.push(Object.fromEntries(top.map(({ bytes, logprob }) => [textOf(bytes), logprob])))
    columns.text_offset.push(at)
    at += token.length
  }
  return columns
}

/** A token may be a part of a character, which no string can hold. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
