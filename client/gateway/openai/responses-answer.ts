/** Formats a response of the responses API for OpenAI's SDKs. */
import type { AnswerMetadata } from '@potluck/client'
import type { FinishReason, Usage } from '@potluck/protocol'

import { potluckUsage, type PotluckUsage } from '../answers/potluck.ts'
import type { WholeAnswer } from '../answers/respond.ts'
import type { AuditLookup } from '../audits.ts'
import { newId, shownModel } from './head.ts'
import { messageItem, outputText, reasoningItem, type OutputItem } from './responses-items.ts'
import type { ResponsesRequest } from './responses-request.ts'

interface ResponsesUsage {
  input_tokens: number
  input_tokens_details: { cached_tokens: number }
  output_tokens: number
  output_tokens_details: { reasoning_tokens: number }
  total_tokens: number
  potluck: PotluckUsage
}

/** The fields that are known before the answer. Most of them repeat the request. */
export function responseHead(
  request: ResponsesRequest,
  { id, created, model }: { id: string; created: number; model: { name: string } }
): object {
  return {
    id,
    object: 'response',
    created_at: created,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    model: shownModel(request.model ?? 'auto', model),
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    store: false,
    temperature: request.temperature ?? 1,
    text: request.text ?? { format: { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    usage: null,
    user: request.user ?? null
  }
}

export interface FinishedAnswer {
  finishReason: FinishReason
  usage: Usage
  reasoningTokens: number
  metadata: AnswerMetadata
}

/** The fields that change when the answer is complete. */
export function responseEnd(
  output: readonly OutputItem[],
  { finishReason, usage, ...end }: FinishedAnswer,
  audits: AuditLookup
): object {
  const incomplete = finishReason === 'length'
  const counts: ResponsesUsage = {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: end.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
    potluck: potluckUsage(end.metadata, audits)
  }
  return {
    status: incomplete ? 'incomplete' : 'completed',
    incomplete_details: incomplete ? { reason: 'max_output_tokens' } : null,
    output,
    usage: counts
  }
}

export interface ResponseFormatOptions {
  /** Seconds since the epoch. */
  created: number
  audits: AuditLookup
}

export function wholeResponse(answer: WholeAnswer, request: ResponsesRequest, options: ResponseFormatOptions): object {
  const status = answer.finishReason === 'length' ? 'incomplete' : 'completed'
  const output: OutputItem[] = []
  if (answer.reasoning !== '') output.push(reasoningItem(newId('rs_'), answer.reasoning, status))
  if (answer.text !== '' || answer.toolCalls.length === 0) {
    output.push(messageItem(newId('msg_'), [outputText(answer.text, answer.logprobs)], status))
  }
  for (const { id, name, arguments: args } of answer.toolCalls) {
    output.push({ type: 'function_call', id: newId('fc_'), call_id: id, name, arguments: args, status })
  }
  return {
    ...responseHead(request, { id: newId('resp_'), created: options.created, model: answer.metadata.model }),
    ...responseEnd(output, answer, options.audits)
  }
}
