/**
 * Learns the format of a model's tool calls and reasoning from its chat template. It renders a conversation with a
 * known call. The text around the call in the result is the format.
 */
import type { ChatMessage, ReasoningEffort, Tool } from '@potluck/protocol'
import { GENERIC_CALLS, type ChatFormat, type ReasoningFormat, type ToolCallFormat } from '../output/chat-format.ts'
import type { ChatTemplate, RenderedPart } from './template.ts'

export interface LearnedFormat extends ChatFormat {
  /** Whether the template itself describes the tools to the model. If not, `withoutTools` describes them. */
  native: boolean
}

const NAME = 'potluck_probe'
const ANSWER = 'potluck_answer'
const TOOL: Tool = {
  name: NAME,
  description: 'probe',
  parameters: { type: 'object', properties: { x: { type: 'integer' } } }
}
const QUESTION: ChatMessage = { role: 'user', content: 'probe' }
const THINK = { open: '<think>', close: '</think>' }

/** @param spells returns whether a text is visible in an answer. For example, a control token is not visible */
export function learnFormat(template: ChatTemplate, spells: (text: string) => boolean): LearnedFormat {
  const calls = knowsTools(template) ? callFormat(template) : undefined
  const native = calls !== undefined && spells(calls.opening) && spells(calls.closing)
  const reasoning = reasoningFormat(template, spells)
  return {
    native,
    calls: native ? calls : GENERIC_CALLS,
    ...(reasoning === undefined ? {} : { reasoning, ...switchedFormat(template, reasoning) })
  }
}

/** How a request changes the beginning of the reasoning. Empty if the template has no switch. */
function switchedFormat(template: ChatTemplate, { begun }: ReasoningFormat): Pick<ChatFormat, 'switched'> {
  const switched = { on: isBegun(template, 'high'), off: isBegun(template, 'none') }
  return switched.on === begun && switched.off === begun ? {} : { switched }
}

function knowsTools(template: ChatTemplate): boolean {
  const result: ChatMessage = { role: 'tool', content: ANSWER, toolCallId: 'call_0' }
  return (
    textOf(template, [QUESTION], true)?.includes(NAME) === true &&
    textOf(template, [QUESTION, called(1), result], true)?.includes(ANSWER) === true
  )
}

function callFormat(template: ChatTemplate): ToolCallFormat | undefined {
  const plain = textOf(template, [QUESTION, { role: 'assistant', content: ANSWER }], false)
  const one = textOf(template, [QUESTION, called(1)], false)
  if (plain === undefined || one === undefined) return undefined
  const [start = '', end = ''] = plain.split(ANSWER)
  const call = findCall(one, start.length)
  if (call === undefined || !one.startsWith(start) || !one.endsWith(end)) return undefined
  // A template can write empty reasoning before the call.
  const opening = one.slice(start.length, call.start).split(THINK.close).at(-1)!
  const between = betweenCalls(template, start.length)
  return {
    opening: opening.trimStart(),
    ...(between === undefined ? {} : { between }),
    closing: one.slice(call.end, one.length - end.length),
    name: call.name,
    arguments: call.arguments
  }
}

/** Returns the text between two calls; undefined if the template refuses two calls. */
function betweenCalls(template: ChatTemplate, from: number): string | undefined {
  const two = textOf(template, [QUESTION, called(2)], false)
  const first = two === undefined ? undefined : findCall(two, from)
  const second = two === undefined || first === undefined ? undefined : findCall(two, first.end)
  return first === undefined || second === undefined ? undefined : two?.slice(first.end, second.start)
}

function called(count: number): ChatMessage {
  const toolCalls = Array.from({ length: count }, (_, index) => ({
    id: `call_${index}`,
    name: NAME,
    arguments: '{"x": 1}'
  }))
  return { role: 'assistant', content: '', toolCalls }
}

interface FoundCall {
  start: number
  end: number
  /** The key of the tool's name. */
  name: string
  /** The key of the arguments. */
  arguments: string
}

/** Finds the first JSON object that contains exactly the probe's name and then its arguments. */
function findCall(text: string, from: number): FoundCall | undefined {
  for (let start = text.indexOf('{', from); start >= 0; start = text.indexOf('{', start + 1)) {
    for (let end = text.indexOf('}', start); end >= 0; end = text.indexOf('}', end + 1)) {
      const entries = entriesOf(text.slice(start, end + 1))
      if (entries === undefined) continue
      const [[name, called] = [], [key, value] = []] = entries
      const isCall = entries.length === 2 && called === NAME && JSON.stringify(value) === '{"x":1}'
      if (isCall && name !== undefined && key !== undefined) return { start, end: end + 1, name, arguments: key }
      break
    }
  }
  return undefined
}

function entriesOf(json: string): [string, unknown][] | undefined {
  try {
    return Object.entries(JSON.parse(json) as object)
  } catch {
    return undefined
  }
}

function reasoningFormat(template: ChatTemplate, spells: (text: string) => boolean): ReasoningFormat | undefined {
  if (!template.source.includes(THINK.close) || !spells(THINK.open) || !spells(THINK.close)) return undefined
  return { ...THINK, begun: isBegun(template) }
}

/** Whether the prompt ends with the opening of the reasoning. */
function isBegun(template: ChatTemplate, reasoningEffort?: ReasoningEffort): boolean {
  const text = textOf(template, [QUESTION], true, reasoningEffort)
  return text?.trimEnd().endsWith(THINK.open) === true
}

function textOf(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  prompt: boolean,
  reasoningEffort?: ReasoningEffort
): string | undefined {
  return template
    .tryRender(messages, { tools: [TOOL], prompt, reasoningEffort })
    ?.map(plainText)
    .join('')
}

function plainText(part: RenderedPart): string {
  return 'text' in part ? part.text : ''
}
