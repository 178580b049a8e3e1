import { DEFAULT_SAMPLING, type PositionLogprobs, type TokenMargin, type Usage } from '@potluck/protocol'
import type { EngineEvent, GenerateJob } from '../../node/engine/interface.ts'

/** So much credit that the engine never waits. */
export const PLENTY = 10_000

export interface Collected {
  tokens: number[]
  /** Of all tokens, one after the other. */
  fingerprints: number[]
  text: string
  /** The text of each delta. */
  pieces: string[]
  logprobs: PositionLogprobs[]
  cachedTokens: number | undefined
  checked: readonly TokenMargin[] | undefined
  finishReason: string | undefined
  usage: Usage | undefined
}

/** Reads a generation to its end. */
export async function collect(generation: AsyncIterable<EngineEvent>): Promise<Collected> {
  const result: Collected = {
    tokens: [],
    fingerprints: [],
    text: '',
    pieces: [],
    logprobs: [],
    cachedTokens: undefined,
    checked: undefined,
    finishReason: undefined,
    usage: undefined
  }
  for await (const event of generation) {
    if (event.type === 'prefill') {
      result.cachedTokens = event.cachedTokens
      result.checked = event.checked
    } else if (event.type === 'done') {
      result.finishReason = event.finishReason
      result.usage = event.usage
    } else if (event.type === 'delta') {
      result.tokens.push(...event.delta.tokens)
      result.fingerprints.push(...event.fingerprints)
      result.text += event.delta.text
      result.pieces.push(event.delta.text)
      result.logprobs.push(...(event.delta.logprobs ?? []))
    }
  }
  return result
}

/** Makes a job with default values. */
export function jobFor(promptTokens: readonly number[], changes: Partial<GenerateJob> = {}): GenerateJob {
  return {
    promptTokens,
    answerTokens: [],
    sampling: { ...DEFAULT_SAMPLING, seed: 1n },
    maxTokens: 24,
    stop: [],
    credit: PLENTY,
    ...changes
  }
}
