/**
 * Learns the format of a model's tool calls and reasoning from its chat template. It renders a conversation with a
 * known call. The text around the call in the result is the format. See `findCall` for how a call can look.
 */
import type { ChatMessage, ReasoningEffort, Tool } from '@potluck/protocol'
import {
  GENERIC_CALLS,
  marksOf,
  type ChatFormat,
  type ReasoningFormat,
  type ToolCallFormat
} from '../output/chat-format.ts'
import { ARGUMENTS, callId, findCall, NAME } from './find-call.ts'
import type { ChatTemplate, RenderedPart, RenderOptions } from './template.ts'

export interface LearnedFormat extends ChatFormat {
  /** Whether the template itself describes the tools to the model. If not, `withoutTools` describes them. */
  native: boolean
  /** Whether the template takes the arguments of a call as JSON text and not as an object. */
  textArguments?: true
}

const ANSWER = 'potluck_answer'
const TOOL: Tool = {
  name: NAME,
  description: 'probe',
  parameters: {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(ARGUMENTS).map(([key, value]) => [key, { type: typeof value === 'string' ? 'string' : 'integer' }])
    )
  }
}
const QUESTION: ChatMessage = { role: 'user', content: 'probe' }
const THINK = { open: '<think>', close: '</think>' }

/** @param spells returns whether a text is visible in an answer. For example, the end of a turn is not visible */
export function learnFormat(template: ChatTemplate, spells: (text: string) => boolean): LearnedFormat {
  const reasoning = reasoningFormat(template, spells)
  const switched = reasoning === undefined ? {} : { reasoning, ...switchedFormat(template, reasoning) }
  for (const textArguments of [false, true]) {
    if (!knowsTools(template, textArguments)) continue
    const calls = callFormat(template, textArguments)
    if (calls === undefined || !marksOf(calls).every((mark) => mark.trim() === '' || spells(mark))) continue
    return { native: true, calls, ...(textArguments ? { textArguments } : {}), ...switched }
  }
  return { native: false, calls: GENERIC_CALLS, ...switched }
}

/** How a request changes the beginning of the reasoning. Empty if the template has no switch. */
function switchedFormat(template: ChatTemplate, { begun }: ReasoningFormat): Pick<ChatFormat, 'switched'> {
  const switched = { on: isBegun(template, 'high'), off: isBegun(template, 'none') }
  return switched.on === begun && switched.off === begun ? {} : { switched }
}

function knowsTools(template: ChatTemplate, textArguments: boolean): boolean {
  const result: ChatMessage = { role: 'tool', content: ANSWER, toolCallId: callId(0) }
  return (
    textOf(template, [QUESTION], { prompt: true })?.includes(NAME) === true &&
    textOf(template, [QUESTION, called(1), result], { prompt: true, textArguments })?.includes(ANSWER) === true
  )
}

function callFormat(template: ChatTemplate, textArguments: boolean): ToolCallFormat | undefined {
  const rendered = (message: ChatMessage): string | undefined =>
    textOf(template, [QUESTION, message], { prompt: false, textArguments })
  const plain = rendered({ role: 'assistant', content: ANSWER })
  const one = rendered(called(1))
  if (plain === undefined || one === undefined) return undefined
  const [before = '', end = ''] = plain.split(ANSWER)
  const start = before.trimEnd()
  const call = findCall(one, start.length)
  if (call === undefined || !one.startsWith(start) || !one.endsWith(end)) return undefined
  // A template can write empty reasoning before the call.
  const opening = one.slice(start.length, call.start).split(THINK.close).at(-1)!.trimStart()
  const closing = one.slice(call.end, one.length - end.length)
  // Without an opening, the parser finds only calls that are a JSON object, by the brace. Without a closing, it does not find
  // the end of tagged calls.
  if (!('name' in call.syntax) && opening === '') return undefined
  if ('beforeKey' in call.syntax && closing.trim() === '') return undefined
  const two = rendered(called(2))
  const first = two === undefined ? undefined : findCall(two, start.length)
  const second = two === undefined || first === undefined ? undefined : findCall(two, first.end)
  // If the template refuses two calls, the model makes only one.
  if (two === undefined || first === undefined || second === undefined) return { opening, closing, ...call.syntax }
  // If the marks of a call contain its number, the two differ. The parser does not support such a format.
  if (JSON.stringify(second.syntax) !== JSON.stringify(call.syntax)) return undefined
  return { opening, between: two.slice(first.end, second.start), closing, ...call.syntax }
}

function called(count: number): ChatMessage {
  const json = JSON.stringify(ARGUMENTS)
  const toolCalls = Array.from({ length: count }, (_, index) => ({ id: callId(index), name: NAME, arguments: json }))
  return { role: 'assistant', content: '', toolCalls }
}

function reasoningFormat(template: ChatTemplate, spells: (text: string) => boolean): ReasoningFormat | undefined {
  if (!template.source.includes(THINK.close) || !spells(THINK.open) || !spells(THINK.close)) return undefined
  return { ...THINK, begun: isBegun(template) }
}

/** Whether the prompt ends with the opening of the reasoning. */
function isBegun(template: ChatTemplate, reasoningEffort?: ReasoningEffort): boolean {
  const text = textOf(template, [QUESTION], { prompt: true, reasoningEffort })
  return text?.trimEnd().endsWith(THINK.open) === true
}

function textOf(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: Omit<RenderOptions, 'tools'>
): string | undefined {
  return template
    .tryRender(messages, { ...options, tools: [TOOL] })
    ?.map(plainText)
    .join('')
}

function plainText(part: RenderedPart): string {
  return 'text' in part ? part.text : ''
}
