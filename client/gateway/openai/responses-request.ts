/** `POST /v1/responses`, without a memory: what may stand in a request, and what it means to the network. */
import type { ChatOptions } from '@potluck/client'
import { MAX_TOP_LOGPROBS, type ResponseFormat, type ToolChoice } from '@potluck/protocol'
import { z } from 'zod'

import { inputField, toInputMessages, type InputItem } from './responses-input.ts'
import { maxTokens, REFUSED, samplingFields, samplingOptions, type SamplingRequest } from './sampling.ts'
import {
  checkToolChoice,
  functionFields,
  schemaFields,
  toSchemaFormat,
  toTool,
  type FunctionRequest,
  type SchemaRequest
} from './tools.ts'
import { defined, optional, parse, refuse, type Refusal } from './validate.ts'

const LOGPROBS = 'message.output_text.logprobs'

const toolField = z.looseObject({
  type: z.literal('function', 'only tools of type "function" can be offered: the caller runs them'),
  ...functionFields
})

const formatField = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({ type: z.literal('json_schema'), ...schemaFields })
])

export interface ResponsesRequest extends Omit<SamplingRequest, 'stream_options'> {
  input: string | InputItem[]
  instructions: string | undefined
  max_output_tokens: number | undefined
  metadata: Record<string, string> | undefined
  text: { format: TextFormat | undefined } | undefined
  tools: FunctionRequest[] | undefined
  tool_choice: 'none' | 'auto' | 'required' | { name: string } | undefined
  parallel_tool_calls: boolean | undefined
  include: string[] | undefined
  top_logprobs: number | undefined
}

type TextFormat = { type: 'text' } | { type: 'json_object' } | ({ type: 'json_schema' } & SchemaRequest)

const responsesSchema: z.ZodType<ResponsesRequest> = z.looseObject({
  ...samplingFields,
  input: inputField,
  instructions: optional(z.string()),
  max_output_tokens: maxTokens,
  metadata: optional(z.record(z.string(), z.string())),
  text: optional(z.looseObject({ format: optional(formatField) })),
  tools: optional(z.array(toolField)),
  tool_choice: optional(
    z.union([
      z.enum(['none', 'auto', 'required']),
      z.looseObject({ type: z.literal('function'), name: z.string().min(1) })
    ])
  ),
  parallel_tool_calls: optional(z.boolean()),
  include: optional(z.array(z.literal(LOGPROBS, 'only log-probabilities can be included'))),
  top_logprobs: optional(z.int().min(0).max(MAX_TOP_LOGPROBS))
})

const RESPONSES_REFUSED: Readonly<Record<string, Refusal>> = {
  ...REFUSED,
  previous_response_id: { why: 'nothing is kept here; send the whole conversation as input' },
  conversation: { why: 'nothing is kept here; send the whole conversation as input' },
  prompt: { why: 'nothing is kept here; send the prompt itself' },
  background: { except: [false], why: 'nothing is kept here' },
  truncation: { except: ['disabled'], why: 'nothing is left out of a conversation; shorten it' },
  reasoning: {
    except: [{}, { effort: null }, { effort: 'medium' }],
    why: 'each model thinks as much as it was trained to'
  },
  max_tool_calls: { why: 'the caller runs all tools' },
  context_management: { why: 'nothing is left out of a conversation; shorten it' },
  image: { why: 'the models answer with text' },
  moderation: { why: 'there is no moderation service' },
  n: { except: [1], why: 'a response is one answer' }
}

/** @throws ApiError 400 */
export function parseResponses(body: Record<string, unknown>): ResponsesRequest {
  refuse(body, RESPONSES_REFUSED)
  return parse(responsesSchema, body)
}

function wantsLogprobs({ include = [], top_logprobs }: ResponsesRequest): boolean {
  return include.length > 0 || top_logprobs !== undefined
}

/** All but the seed and the signal. */
export function responsesOptions(request: ResponsesRequest): ChatOptions {
  const { input, instructions, tool_choice, parallel_tool_calls, max_output_tokens, top_logprobs = 0 } = request
  const tools = (request.tools ?? []).map((tool, index) => toTool(tool, `tools[${index}]`))
  const toolChoice: ToolChoice | undefined = typeof tool_choice === 'object' ? { name: tool_choice.name } : tool_choice
  checkToolChoice(toolChoice, tools)
  return {
    ...samplingOptions(request),
    messages: toInputMessages(input, instructions),
    ...(tools.length === 0 ? {} : { tools, ...defined({ toolChoice, parallelToolCalls: parallel_tool_calls }) }),
    ...defined({
      maxTokens: max_output_tokens,
      topLogprobs: wantsLogprobs(request) ? top_logprobs : undefined,
      responseFormat: formatOf(request)
    })
  }
}

function formatOf({ text }: ResponsesRequest): ResponseFormat | undefined {
  const format = text?.format
  if (format === undefined || format.type === 'text') return undefined
  return format.type === 'json_object' ? { type: 'json_object' } : toSchemaFormat(format.schema, 'text.format.schema')
}
