/** `POST /v1/completions`: the older API, which continues a text as it is. */
import type { CompletionOptions } from '@potluck/client'
import { z } from 'zod'

import { invalid } from '../errors.ts'
import {
  checkStreamOptions,
  maxTokens,
  REFUSED,
  samplingFields,
  samplingOptions,
  type SamplingRequest
} from './sampling.ts'
import { defined, optional, parse, refuse, type Refusal } from './validate.ts'

/** OpenAI's own default. */
const DEFAULT_MAX_TOKENS = 16
/** What OpenAI allows. */
const MAX_LOGPROBS = 5
const MAX_PROMPTS = 16

const text = z.string('only texts can be taken, as each model has token ids of its own')

export interface CompletionRequest extends SamplingRequest {
  prompt: string | string[]
  max_tokens: number | undefined
  logprobs: number | undefined
  echo: boolean | undefined
}

const completionSchema: z.ZodType<CompletionRequest> = z.looseObject({
  ...samplingFields,
  prompt: z.union([text, z.array(text).min(1).max(MAX_PROMPTS)]),
  max_tokens: maxTokens,
  logprobs: optional(z.int().min(0).max(MAX_LOGPROBS)),
  echo: optional(z.boolean())
})

const COMPLETION_REFUSED: Readonly<Record<string, Refusal>> = {
  ...REFUSED,
  suffix: { except: [''], why: 'the nodes continue texts, they do not fill gaps' },
  best_of: { except: [1], why: "all answers are returned; use 'n'" }
}

/** @throws ApiError 400 */
export function parseCompletion(body: Record<string, unknown>): CompletionRequest {
  // The best of n of n is all of them.
  refuse(body.best_of === body.n ? { ...body, best_of: null } : body, COMPLETION_REFUSED)
  const request = parse(completionSchema, body)
  checkStreamOptions(request)
  if (request.echo === true && request.logprobs !== undefined) {
    throw invalid('echo', "Invalid 'echo': with 'logprobs' it would need those of the prompt.", 'invalid_value')
  }
  return request
}

export function prompts({ prompt }: CompletionRequest): string[] {
  return typeof prompt === 'string' ? [prompt] : prompt
}

/** All but the seed and the signal, for one of the prompts. */
export function completionOptions(request: CompletionRequest, prompt: string): CompletionOptions {
  return {
    ...samplingOptions(request),
    prompt,
    maxTokens: request.max_tokens ?? DEFAULT_MAX_TOKENS,
    ...defined({ topLogprobs: request.logprobs })
  }
}
