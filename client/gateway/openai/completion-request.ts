/** `POST /v1/completions`, OpenAI's older API: validates a request to continue a text without a chat template. */
import type { CompletionOptions } from '@potluck/client'
import { z } from 'zod'

import { invalid } from '../errors.ts'
import { guidedFields, guidedFormat, type GuidedRequest } from './guided.ts'
import {
  checkStreamOptions,
  includedStops,
  maxTokens,
  REFUSED,
  samplingFields,
  samplingOptions,
  type SamplingRequest
} from './sampling.ts'
import { responseFormatField, toResponseFormat, type FormatRequest } from './tools.ts'
import { defined, optional, parse, refuseFields, textOnly, withoutEmpty, type RefusedField } from '../validate.ts'

/** OpenAI's default. */
const DEFAULT_MAX_TOKENS = 16
/** OpenAI's limit. */
const MAX_LOGPROBS = 5
/** The default limit of answers to one request, because each prompt needs an answer. */
const MAX_PROMPTS = 16

export interface CompletionRequest extends SamplingRequest, GuidedRequest {
  response_format: FormatRequest | undefined
  prompt: string | string[]
  max_tokens: number | undefined
  logprobs: number | undefined
  echo: boolean | undefined
}

const completionSchema: z.ZodType<CompletionRequest> = z.looseObject({
  ...samplingFields,
  ...guidedFields,
  response_format: responseFormatField,
  prompt: z.union([textOnly, z.array(textOnly).min(1).max(MAX_PROMPTS)]),
  max_tokens: maxTokens,
  logprobs: optional(z.int().min(0).max(MAX_LOGPROBS)),
  echo: optional(z.boolean())
})

const COMPLETION_REFUSED: Readonly<Record<string, RefusedField>> = {
  ...REFUSED,
  suffix: { except: [''], why: 'the nodes can only continue a text, not fill a gap in it' },
  best_of: { except: [1], why: "the gateway returns every answer; use 'n'" }
}

/** @throws ApiError 400 */
export function parseCompletion(body: Record<string, unknown>): CompletionRequest {
  const given = withoutEmpty(body, 'prompt')
  if (given.prompt === undefined) {
    throw invalid('prompt', "Invalid 'prompt': send the text to continue.", 'missing_required_parameter')
  }
  // If `best_of` equals `n`, the caller gets all answers, so `best_of` has no effect.
  refuseFields(given.best_of === given.n ? { ...given, best_of: null } : given, COMPLETION_REFUSED)
  const request = parse(completionSchema, given)
  checkStreamOptions(request)
  if (request.echo === true && request.logprobs !== undefined) {
    throw invalid(
      'echo',
      "Invalid 'echo': it cannot be combined with 'logprobs', because nodes give no log-probabilities of the prompt.",
      'invalid_value'
    )
  }
  return request
}

export function prompts({ prompt }: CompletionRequest): string[] {
  return typeof prompt === 'string' ? [prompt] : prompt
}

/** The client's options for one prompt, without the seed and the signal. */
export function completionOptions(request: CompletionRequest, prompt: string): CompletionOptions {
  return {
    ...samplingOptions(request),
    prompt,
    maxTokens: request.max_tokens ?? DEFAULT_MAX_TOKENS,
    ...defined({
      topLogprobs: request.logprobs ?? (includedStops(request).length > 0 ? 0 : undefined),
      responseFormat: guidedFormat(request, toResponseFormat(request.response_format))
    })
  }
}
