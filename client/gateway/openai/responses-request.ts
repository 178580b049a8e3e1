/** `POST /v1/responses`, stateless: validates a request and converts it to the client's options. */
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
import { defined, optional, parse, refuseFields, type RefusedField } from '../validate.ts'

const LOGPROBS = 'message.output_text.logprobs'

const toolField = z.looseObject({
  type: z.literal('function', 'only tools of type "function" are supported, which the caller runs'),
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
  include: optional(z.array(z.literal(LOGPROBS, 'only log-probabilities are supported'))),
  top_logprobs: optional(z.int().min(0).max(MAX_TOP_LOGPROBS))
})

const RESPONSES_REFUSED: Readonly<Record<string, RefusedField>> = {
  ...REFUSED,
  previous_response_id: { why: 'the gateway stores nothing; send the whole conversation as input' },
  conversation: { why: 'the gateway stores nothing; send the whole conversation as input' },
  prompt: { why: 'the gateway stores nothing; send the prompt itself' },
  background: { except: [false], why: 'the gateway stores nothing' },
  truncation: { except: ['disabled'], why: 'the gateway never truncates a conversation; shorten it' },
  reasoning: {
    except: [{}, { effort: null }, { effort: 'medium' }],
    why: 'no node can change how long a model reasons'
  },
  max_tool_calls: { why: 'the caller runs all tools' },
  context_management: { why: 'the gateway never truncates a conversation; shorten it' },
  image: { why: 'the models generate only text' },
  moderation: { why: 'the network has no moderation service' },
  n: { except: [1], why: 'a response has one answer' }
}

/** @throws ApiError 400 */
export function parseResponses(body: Record<string, unknown>): ResponsesRequest {
  refuseFields(body, RESPONSES_REFUSED)
  return parse(responsesSchema, body)
}

function wantsLogprobs({ include = [], top_logprobs }: ResponsesRequest): boolean {
  return include.length > 0 || top_logprobs !== undefined
}

/** The client's options, without the seed and the signal. */
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
