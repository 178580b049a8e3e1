/** Builds the items of a response's output. */
import { chatLogprobs, type ChatLogprob } from './logprobs.ts'
import { customInput } from './responses-tools.ts'
import type { PositionLogprobs, ToolCall } from '@potluck/protocol'

type Status = 'in_progress' | 'completed' | 'incomplete'

export interface ReasoningItem {
  type: 'reasoning'
  id: string
  summary: []
  content: { type: 'reasoning_text'; text: string }[]
  /** Always null: the gateway stores and encrypts nothing. */
  encrypted_content: null
  status: Status
}

export interface OutputText {
  type: 'output_text'
  text: string
  annotations: []
  logprobs: TextLogprob[]
}

export interface MessageItem {
  type: 'message'
  id: string
  role: 'assistant'
  status: Status
  content: OutputText[]
}

export interface CallItem {
  type: 'function_call'
  id: string
  call_id: string
  name: string
  arguments: string
  status: Status
}

/** A call of a tool whose input is a text. */
export interface CustomCallItem {
  type: 'custom_tool_call'
  id: string
  call_id: string
  name: string
  input: string
  status: Status
}

export type OutputItem = ReasoningItem | MessageItem | CallItem | CustomCallItem

type TextLogprob = ChatLogprob & { top_logprobs: ChatLogprob[] }

export function reasoningItem(id: string, text: string, status: Status): ReasoningItem {
  const content = status === 'in_progress' ? [] : [{ type: 'reasoning_text' as const, text }]
  return { type: 'reasoning', id, summary: [], content, encrypted_content: null, status }
}

/** @param custom whether the tool's input is a text */
export function callItem(
  { id, name, arguments: args }: ToolCall,
  { itemId, status, custom }: { itemId: string; status: Status; custom: boolean }
): CallItem | CustomCallItem {
  return custom
    ? { type: 'custom_tool_call', id: itemId, call_id: id, name, input: customInput(args), status }
    : { type: 'function_call', id: itemId, call_id: id, name, arguments: args, status }
}

export function messageItem(id: string, content: OutputText[], status: Status): MessageItem {
  return { type: 'message', id, role: 'assistant', status, content }
}

export function outputText(text: string, logprobs: readonly PositionLogprobs[]): OutputText {
  return { type: 'output_text', text, annotations: [], logprobs: textLogprobs(logprobs) }
}

export function textLogprobs(logprobs: readonly PositionLogprobs[]): TextLogprob[] {
  return chatLogprobs(logprobs).content
}
