/** A response as OpenAI's clients read it. */
import type { AnswerMetadata } from '../../index.ts'
import type { FinishReason, Usage } from '@potluck/protocol'

import { potluckUsage, type Audits, type PotluckUsage } from '../answers/potluck.ts'
import type { WholeAnswer } from '../answers/whole.ts'
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

/** What a response says before its answer is known: mostly the request's own words. */
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

export interface Ending {
  finishReason: FinishReason
  usage: Usage
  reasoningTokens: number
  metadata: AnswerMetadata
}

/** What changes in the head when the answer is complete. */
export function responseEnd(
  output: readonly OutputItem[],
  { finishReason, usage, ...end }: Ending,
  audits: Audits
): object {
  const cut = finishReason === 'length'
  const counts: ResponsesUsage = {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: end.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
    potluck: potluckUsage(end.metadata, audits)
  }
  return {
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output,
    usage: counts
  }
}

export interface ResponseShow {
  /** Seconds since the epoch. */
  created: number
  audits: Audits
}

export function wholeResponse(answer: WholeAnswer, request: ResponsesRequest, show: ResponseShow): object {
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
    ...responseHead(request, { id: newId('resp_'), created: show.created, model: answer.model }),
    ...responseEnd(output, answer, show.audits)
  }
}
