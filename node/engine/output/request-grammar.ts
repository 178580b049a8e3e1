/** Makes the grammar for the answer to a request, in the format of the model. */
import {
  Alternation,
  compilePattern,
  compileSchema,
  Concatenation,
  FreeText,
  Literal,
  MAX_TOOL_CALLS,
  offeredTools,
  Repeat,
  type GrammarNode,
  type JsonSchema,
  type OutputConstraint,
  type ResponseFormat,
  type Tool
} from '@potluck/protocol'
import { bareOpening, reasoningOf, type ChatFormat, type ReasoningFormat, type ToolCallFormat } from './chat-format.ts'
import { channelGrammar } from './channel-grammar.ts'
import { quotedCall } from './quoted-arguments.ts'
import { taggedCall } from './tagged-arguments.ts'

/** The ids that Mistral's models write. The node gives callers its own ids instead. */
const CALL_ID = compilePattern('[a-zA-Z0-9]{9}')
/** The number of a call in its conversation. */
const CALL_NUMBER = compilePattern('[0-9]{1,4}')

/**
 * Returns the grammar; undefined for plain text. If the model reasons, the reasoning comes first. The request decides
 * what follows:
 *
 * - a required call: calls
 * - a response format: a document
 * - a response format and optional tools: a document or calls
 * - optional tools: text, in which the model can begin calls
 */
export function requestGrammar(constraint: OutputConstraint, format: ChatFormat): GrammarNode | undefined {
  const { calls } = format
  const reasoning = reasoningOf(format, constraint)
  const { toolChoice = 'auto', responseFormat } = constraint
  const tools = offeredTools(constraint)
  const document = responseFormat === undefined ? undefined : documentOf(responseFormat)
  const forced = toolChoice !== 'auto'
  const callable = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools
  if (format.channels === true && constraint.chat) {
    if (tools.length === 0 && document === undefined) return undefined
    const inChannels = callable.map((tool) => ({ name: tool.name, json: argumentsOf(tool) }))
    return channelGrammar({ calls: inChannels, document, forced: forced && tools.length > 0 })
  }
  if (tools.length === 0) return document === undefined ? undefined : afterReasoning(document, constraint, reasoning)
  const several = constraint.parallelToolCalls !== false && typeof toolChoice !== 'object'
  const called = callsOf(callable, calls, several)
  if (forced) return afterReasoning(new Concatenation(loose(calls.opening), called), constraint, reasoning)
  if (document !== undefined) {
    return afterReasoning(
      new Alternation(document, new Concatenation(loose(calls.opening), called)),
      constraint,
      reasoning
    )
  }
  const text = orCalls(calls, called)
  if (reasoning?.begun !== true) return text
  // A marker within the reasoning does not begin a call.
  const { close } = reasoning
  return new Alternation(new FreeText('without', close), new Concatenation(new FreeText('until', close), text))
}

/** Text that can end with calls. */
function orCalls(format: ToolCallFormat, called: GrammarNode): GrammarNode {
  const marker = format.opening.trim()
  if (marker === '') return new Alternation(new FreeText('unlike', bareOpening(format)), called)
  const opened = new Concatenation(
    new FreeText('until', marker),
    loose(format.opening.trimStart().slice(marker.length)),
    called
  )
  return new Alternation(new FreeText('without', marker), opened)
}

function documentOf(format: ResponseFormat): GrammarNode {
  if (format.type === 'regex') return compilePattern(format.pattern)
  return compileSchema(format.type === 'json_object' ? { type: 'object' } : format.schema)
}

/** Everything after the opening: the calls and the closing. */
function callsOf(tools: readonly Tool[], format: ToolCallFormat, several: boolean): GrammarNode {
  const call = new Alternation(...tools.map((tool) => callOf(tool, format)))
  const most = several && format.between !== undefined ? MAX_TOOL_CALLS : 1
  return new Concatenation(new Repeat(call, loose(format.between ?? ''), 1, most), loose(format.closing))
}

function callOf(tool: Tool, format: ToolCallFormat): GrammarNode {
  if ('beforeKey' in format) return taggedCall(tool, format)
  if ('quote' in format) return quotedCall(tool, format)
  const { name } = tool
  const json = argumentsOf(tool)
  if ('separator' in format) {
    const { beforeId, numbered, separator } = format
    const id = beforeId === undefined ? [] : [loose(beforeId), numbered === true ? CALL_NUMBER : CALL_ID]
    return new Concatenation(new Literal(name), ...id, loose(separator), json)
  }
  const end = new Literal('}')
  const { id } = format
  return new Concatenation(
    new Literal(`{"${format.name}":`),
    loose(' '),
    new Literal(`"${name}",`),
    loose(' '),
    new Literal(`"${format.arguments}":`),
    loose(' '),
    json,
    id === undefined
      ? end
      : new Alternation(end, new Concatenation(new Literal(`, "${id}": "`), CALL_ID, new Literal('"}')))
  )
}

/** The arguments of a call as a JSON object. */
function argumentsOf({ parameters, strict = false }: Tool): GrammarNode {
  return compileSchema(objectSchema(parameters), { lenient: !strict })
}

/** Requires an object, because a schema without `type` can allow other values. */
function objectSchema(parameters: JsonSchema = true): JsonSchema {
  if (typeof parameters === 'boolean') return { type: 'object' }
  return Object.hasOwn(parameters, 'type') || Object.hasOwn(parameters, '$ref')
    ? parameters
    : { ...parameters, type: 'object' }
}

function afterReasoning(
  answer: GrammarNode,
  { chat }: OutputConstraint,
  reasoning: ReasoningFormat | undefined
): GrammarNode {
  if (reasoning === undefined || !chat) return answer
  const { open, close, begun } = reasoning
  const reasoned = new Concatenation(new FreeText('until', close), loose('\n'), loose('\n'), answer)
  return begun ? reasoned : new Alternation(answer, new Concatenation(new Literal(open), reasoned))
}

/** Allows the text with or without each of its runs of blanks, because models often omit blanks of their templates. */
function loose(text: string): GrammarNode {
  const parts = text.split(/(\s+)/).filter((part) => part !== '')
  return new Concatenation(
    ...parts.map((part) =>
      part.trim() === '' ? new Alternation(new Literal(part), new Concatenation()) : new Literal(part)
    )
  )
}
