/** The grammar that a request means, for the model that answers it. */
import {
  Choice,
  compileSchema,
  FreeText,
  Literal,
  MAX_TOOL_CALLS,
  offeredTools,
  Repeat,
  Sequence,
  type AnswerShape,
  type JsonSchema,
  type Node,
  type ResponseFormat,
  type Tool
} from '@potluck/protocol'
import { bareOpening, type CallFormat, type ChatFormat, type ReasoningFormat } from './format.ts'

/**
 * Undefined for plain text. Reasoning comes first where the model reasons; then the document, or calls
 * where one has to be made; otherwise text up to where the model begins a call by itself.
 */
export function grammarOf(shape: AnswerShape, { calls, reasoning }: ChatFormat): Node | undefined {
  const { toolChoice = 'auto', responseFormat } = shape
  const tools = offeredTools(shape)
  const document = responseFormat === undefined ? undefined : documentOf(responseFormat)
  if (tools.length === 0) return document === undefined ? undefined : afterReasoning(document, shape, reasoning)
  const callable = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools
  const forced = toolChoice !== 'auto'
  const several = shape.parallelToolCalls !== false && typeof toolChoice !== 'object'
  const called = callsOf(callable, calls, several)
  if (forced) return afterReasoning(new Sequence(loose(calls.opening), called), shape, reasoning)
  if (document !== undefined) {
    return afterReasoning(new Choice(document, new Sequence(loose(calls.opening), called)), shape, reasoning)
  }
  const text = orCalls(calls, called)
  if (reasoning?.begun !== true) return text
  // What it thinks about tools is no call yet.
  const { close } = reasoning
  return new Choice(new FreeText('without', close), new Sequence(new FreeText('until', close), text))
}

/** Text, until the model begins a call by itself. */
function orCalls(format: CallFormat, called: Node): Node {
  const marker = format.opening.trim()
  if (marker === '') return new Choice(new FreeText('unlike', bareOpening(format)), called)
  const opened = new Sequence(
    new FreeText('until', marker),
    loose(format.opening.trimStart().slice(marker.length)),
    called
  )
  return new Choice(new FreeText('without', marker), opened)
}

function documentOf(format: ResponseFormat): Node {
  return compileSchema(format.type === 'json_object' ? { type: 'object' } : format.schema)
}

/** The calls, from after their opening to the answer's end. */
function callsOf(tools: readonly Tool[], format: CallFormat, several: boolean): Node {
  const call = new Choice(...tools.map((tool) => callOf(tool, format)))
  const most = several && format.between !== undefined ? MAX_TOOL_CALLS : 1
  return new Sequence(new Repeat(call, loose(format.between ?? ''), 1, most), loose(format.closing))
}

function callOf({ name, parameters, strict = false }: Tool, keys: CallFormat): Node {
  return new Sequence(
    new Literal(`{"${keys.name}":`),
    loose(' '),
    new Literal(`"${name}",`),
    loose(' '),
    new Literal(`"${keys.arguments}":`),
    loose(' '),
    compileSchema(objectSchema(parameters), { lenient: !strict }),
    new Literal('}')
  )
}

/** Arguments are an object, whatever a lenient schema leaves open. */
function objectSchema(parameters: JsonSchema = true): JsonSchema {
  if (typeof parameters === 'boolean') return { type: 'object' }
  return Object.hasOwn(parameters, 'type') || Object.hasOwn(parameters, '$ref')
    ? parameters
    : { ...parameters, type: 'object' }
}

function afterReasoning(answer: Node, { chat }: AnswerShape, reasoning: ReasoningFormat | undefined): Node {
  if (reasoning === undefined || !chat) return answer
  const { open, close, begun } = reasoning
  const reasoned = new Sequence(new FreeText('until', close), loose('\n'), loose('\n'), answer)
  return begun ? reasoned : new Choice(answer, new Sequence(new Literal(open), reasoned))
}

/** This text, in which each run of blanks may be left out: models differ from their own templates there. */
function loose(text: string): Node {
  const parts = text.split(/(\s+)/).filter((part) => part !== '')
  return new Sequence(
    ...parts.map((part) => (part.trim() === '' ? new Choice(new Literal(part), new Sequence()) : new Literal(part)))
  )
}
