/** The fields that all generating endpoints have in common: the model and the sampling parameters. */
import type { GenerationOptions } from '@potluck/client'
import {
  CANDIDATES,
  MAX_ANSWER_TOKENS,
  MAX_LOGIT_BIAS,
  MAX_STOP_LENGTH,
  MAX_STOP_SEQUENCES,
  MAX_STOP_TOKENS,
  MAX_TOKEN_ID,
  type ReasoningEffort
} from '@potluck/protocol'
import { z } from 'zod'

import { invalid } from '../errors.ts'
import { GUIDED_REFUSED } from './guided.ts'
import { defined, optional, type Fields, type RefusedField } from '../validate.ts'

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
  include_stop_str_in_output: boolean | undefined
  min_tokens: number | undefined
  stop_token_ids: number[] | undefined
  n: number | undefined
  stream: boolean | undefined
  stream_options: { include_usage: boolean | undefined; continuous_usage_stats: boolean | undefined } | undefined
  user: string | undefined
}

/** The ranges come from the network's sampling contract. Some are wider than OpenAI's ranges. */
export const samplingFields: Fields<SamplingRequest> = {
  model: optional(z.string().min(1)),
  temperature: optional(z.number().min(0).max(100)),
  top_p: optional(z.number().min(0).max(1)),
  // llama.cpp and vLLM define `top_k` and `min_p`. A `top_k` of -1 means all tokens.
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
  // vLLM's.
  include_stop_str_in_output: optional(z.boolean()),
  min_tokens: optional(z.int().min(0).max(MAX_ANSWER_TOKENS)),
  stop_token_ids: optional(
    z
      .array(
        z
          .int()
          .min(0)
          .max(MAX_TOKEN_ID - 1)
      )
      .max(MAX_STOP_TOKENS)
  ),
  n: optional(z.int().min(1)),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.looseObject({
      include_usage: optional(z.boolean()),
      // vLLM's: the usage so far in every chunk.
      continuous_usage_stats: optional(z.boolean()),
      include_obfuscation: optional(z.literal(false))
    })
  ),
  user: optional(z.string())
}

/** OpenAI's values. A model that cannot switch its reasoning ignores them. */
export const effortField: z.ZodType<ReasoningEffort | undefined> = optional(
  z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
)

export const maxTokens: z.ZodType<number | undefined> = optional(z.int().min(1).max(MAX_ANSWER_TOKENS))

/** OpenAI's fields that no endpoint supports. */
export const REFUSED: Readonly<Record<string, RefusedField>> = {
  service_tier: { except: ['auto', 'default'], why: 'the gateway has only one tier' },
  store: { except: [false], why: 'the gateway stores nothing' },
  // Fields of other servers, which would change the answer. Each accepts the value that changes nothing.
  ignore_eos: { except: [false], why: "forbid the token that ends the answer with 'logit_bias'" },
  repetition_penalty: {
    except: [1],
    why: "the sampling contract has only 'presence_penalty' and 'frequency_penalty'"
  },
  repeat_penalty: { except: [1], why: "the sampling contract has only 'presence_penalty' and 'frequency_penalty'" },
  length_penalty: { except: [1], why: 'the nodes do not search with beams' },
  use_beam_search: { except: [false], why: 'the nodes do not search with beams' },
  typical_p: { except: [1], why: "use 'top_p' or 'min_p'" },
  bad_words: { why: "use 'logit_bias'" },
  allowed_token_ids: { why: "use 'logit_bias'" },
  prompt_logprobs: { why: 'the nodes give no log-probabilities of the prompt' },
  truncate_prompt_tokens: { why: 'the gateway never truncates a prompt; shorten it' },
  ...GUIDED_REFUSED
}

/** The sampling parameters. For an absent parameter, OpenAI's default leaves the model's distribution unchanged. */
export function samplingOptions(request: Omit<SamplingRequest, 'stream_options'>): GenerationOptions {
  const { model, temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, logit_bias, stop } = request
  return {
    model: model ?? 'auto',
    temperature: temperature ?? 1,
    topP: top_p ?? 1,
    topK: Math.max(0, top_k ?? 0),
    minP: min_p ?? 0,
    ...defined({
      minTokens: request.min_tokens,
      stopTokens: request.stop_token_ids,
      presencePenalty: presence_penalty,
      frequencyPenalty: frequency_penalty,
      logitBias:
        logit_bias &&
        new Map(Object.entries(logit_bias).map(([token, bias]): [number, number] => [Number(token), bias]))
    }),
    stop: typeof stop === 'string' ? [stop] : (stop ?? [])
  }
}

/**
 * The stop sequences that the answer must include. The nodes leave them out, so the gateway reads them from the tokens,
 * for which it needs their log-probabilities.
 */
export function includedStops({ stop = [], include_stop_str_in_output }: SamplingRequest): readonly string[] {
  return include_stop_str_in_output === true ? [stop].flat() : []
}

/** Where the stream reports its usage. */
export function streamUsage({ stream_options }: SamplingRequest): { usage: boolean; continuous: boolean } {
  const { include_usage, continuous_usage_stats } = stream_options ?? {}
  return { usage: include_usage === true, continuous: include_usage === true && continuous_usage_stats === true }
}

/** @throws ApiError 400 */
export function checkStreamOptions({ stream, stream_options }: SamplingRequest): void {
  if (stream_options !== undefined && stream !== true) {
    throw invalid('stream_options', "Invalid 'stream_options': it requires 'stream': true.", 'invalid_value')
  }
}

/**
 * The difference between the seeds of two answers to a request: 2^64 divided by the golden ratio. The number is odd, so
 * that all answers have different seeds.
 */
const SEED_STEP = 0x9e3779b97f4a7c15n

/** A seed for each answer. The first is the caller's seed, or a random one. */
export function seeds(seed: number | undefined, answers: number): bigint[] {
  const first = seed === undefined ? (crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n) : BigInt(seed)
  return Array.from({ length: answers }, (_, index) => BigInt.asUintN(64, first + BigInt(index) * SEED_STEP))
}
