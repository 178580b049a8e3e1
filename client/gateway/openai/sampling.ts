/** What all generating endpoints have in common: the model, and how its tokens are chosen. */
import type { GenerationOptions } from '@potluck/client'
import { CANDIDATES, MAX_ANSWER_TOKENS, MAX_LOGIT_BIAS, MAX_STOP_LENGTH, MAX_STOP_SEQUENCES } from '@potluck/protocol'
import { z } from 'zod'

import { invalid } from '../errors.ts'
import { defined, optional, type Fields, type Refusal } from './validate.ts'

const stopText = z.string().min(1).max(MAX_STOP_LENGTH)

export interface SamplingRequest {
  model: string | undefined
  temperature: number | undefined
  top_p: number | undefined
  top_k: number | undefined
  min_p: number | undefined
  presence_penalty: number | undefined
  frequency_penalty: number | undefined
  logit_bias: Record<string, number> | undefined
  seed: number | undefined
  stop: string | string[] | undefined
  n: number | undefined
  stream: boolean | undefined
  stream_options: { include_usage: boolean | undefined } | undefined
  user: string | undefined
}

/** The fields, in what the contract of the network can do: more than OpenAI allows, in places. */
export const samplingFields: Fields<SamplingRequest> = {
  model: optional(z.string().min(1)),
  temperature: optional(z.number().min(0).max(100)),
  top_p: optional(z.number().min(0).max(1)),
  // Of llama.cpp and vLLM, where -1 means all.
  top_k: optional(z.int().min(-1).max(CANDIDATES)),
  min_p: optional(z.number().min(0).max(1)),
  presence_penalty: optional(z.number().min(-100).max(100)),
  frequency_penalty: optional(z.number().min(-100).max(100)),
  logit_bias: optional(
    z
      .record(z.string(), z.number().min(-100).max(100))
      .refine((bias) => Object.keys(bias).every((token) => /^\d+$/.test(token)), 'its keys must be token ids')
      .refine((bias) => Object.keys(bias).length <= MAX_LOGIT_BIAS, `at most ${MAX_LOGIT_BIAS} tokens`)
  ),
  seed: optional(z.int()),
  stop: optional(z.union([stopText, z.array(stopText).max(MAX_STOP_SEQUENCES)])),
  n: optional(z.int().min(1)),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.looseObject({ include_usage: optional(z.boolean()), include_obfuscation: optional(z.literal(false)) })
  ),
  user: optional(z.string())
}

export const maxTokens: z.ZodType<number | undefined> = optional(z.int().min(1).max(MAX_ANSWER_TOKENS))

/** Fields of OpenAI's that none of the endpoints can honour. */
export const REFUSED: Readonly<Record<string, Refusal>> = {
  service_tier: { except: ['auto', 'default'], why: 'there is one tier' },
  store: { except: [false], why: 'nothing is kept here' }
}

/** How the tokens are chosen, with OpenAI's defaults: the model's own distribution, not cut or bent. */
export function samplingOptions(request: Omit<SamplingRequest, 'stream_options'>): GenerationOptions {
  const { model, temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, logit_bias, stop } = request
  return {
    model: model ?? 'auto',
    temperature: temperature ?? 1,
    topP: top_p ?? 1,
    topK: Math.max(0, top_k ?? 0),
    minP: min_p ?? 0,
    ...defined({
      presencePenalty: presence_penalty,
      frequencyPenalty: frequency_penalty,
      logitBias:
        logit_bias &&
        new Map(Object.entries(logit_bias).map(([token, bias]): [number, number] => [Number(token), bias]))
    }),
    stop: typeof stop === 'string' ? [stop] : (stop ?? [])
  }
}

/** @throws ApiError 400 */
export function checkStreamOptions({ stream, stream_options }: SamplingRequest): void {
  if (stream_options !== undefined && stream !== true) {
    throw invalid('stream_options', "Invalid 'stream_options': only with 'stream': true.", 'invalid_value')
  }
}

/** Odd, so that no two answers of a request meet at the same seed: 2^64 by the golden ratio. */
const SEED_STEP = 0x9e3779b97f4a7c15n

/** A seed for each of the answers, the first the caller's own. */
export function seeds(seed: number | undefined, answers: number): bigint[] {
  const first = seed === undefined ? (crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n) : BigInt(seed)
  return Array.from({ length: answers }, (_, index) => BigInt.asUintN(64, first + BigInt(index) * SEED_STEP))
}
