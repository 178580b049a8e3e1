/** How a model writes the parts of an answer that are not plain text: tool calls and reasoning. */
import type { OutputConstraint } from '@potluck/protocol'

/** An answer with calls has `opening`, the calls separated by `between`, then `closing`. */
interface CallMarks {
  /** Marks the start of the calls. Empty: an answer that begins with a call's brace and first key is a call. */
  opening: string
  /** Undefined if the model makes only one call in an answer. */
  between?: string
  closing: string
}

/** Each call is a JSON object. */
export interface JsonCalls extends CallMarks {
  /** The key of the tool's name, which is the first in the object. */
  name: string
  /** The key of the arguments, which is the second in the object. */
  arguments: string
  /** The key of the call's id, if the model can write one after the arguments. */
  id?: string
}

/**
 * Each call is the tool's name, perhaps `beforeId` and the call's id, then `separator`, and the arguments as a JSON
 * object. `opening` is not blank.
 */
export interface NamedCalls extends CallMarks {
  beforeId?: string
  /** Whether the id is the number of the call in the conversation. */
  numbered?: true
  separator: string
}

/**
 * Each call is the tool's name, `afterName`, and the arguments one by one: `beforeKey`, the key, `afterKey`, the value,
 * `afterValue`. A string stands as it is, and any other value as JSON. No mark is blank, except `afterName`.
 */
export interface TaggedCalls extends CallMarks {
  afterName: string
  beforeKey: string
  /** If `afterOtherKey` exists, only before a string. */
  afterKey: string
  /** The marks before values of other types, if the marks name the type of the value. */
  afterOtherKey?: Readonly<Record<OtherType, string>>
  afterValue: string
}

/** The types of JSON values that are not strings. */
export type OtherType = 'number' | 'boolean' | 'null' | 'array' | 'object'

/**
 * Each call is the tool's name and its arguments as an object. Unlike in JSON, `quote` stands before and after a
 * string, a string has no escapes, and a key has no quotes.
 */
export interface QuotedCalls extends CallMarks {
  quote: string
}

export type ToolCallFormat = JsonCalls | NamedCalls | TaggedCalls | QuotedCalls

/** The beginning of a call in a format without an `opening`. */
export function bareOpening(format: ToolCallFormat): string {
  return 'name' in format ? `{"${format.name}":` : ''
}

/** The texts of a format that a model must be able to write. */
export function marksOf({ opening, between = '', closing, ...rest }: ToolCallFormat): string[] {
  const inner = 'separator' in rest ? [rest.beforeId ?? '', rest.separator] : []
  const tags =
    'beforeKey' in rest
      ? [rest.afterName, rest.beforeKey, rest.afterKey, ...Object.values(rest.afterOtherKey ?? {}), rest.afterValue]
      : []
  return [opening, between, closing, ...inner, ...tags, ...('quote' in rest ? [rest.quote] : [])]
}

export interface ReasoningFormat {
  open: string
  close: string
  /** Whether the prompt ends with `open`, so that the answer begins within the reasoning. */
  begun: boolean
}

export interface ChatFormat {
  calls: ToolCallFormat
  /**
   * True if the model writes its answers in channels, see `channels.ts`. Then `calls` and `reasoning` have no meaning.
   */
  channels?: true
  /** Undefined if the model does not separate reasoning from its answer. */
  reasoning?: ReasoningFormat
  /** `begun` if the request switches the reasoning. Undefined if the template has no such switch. */
  switched?: { on: boolean; off: boolean }
}

/**
 * Returns how the answer to a request separates reasoning. The prompt depends on the effort that the request asks for.
 */
export function reasoningOf(
  { reasoning, switched }: ChatFormat,
  { reasoningEffort }: Pick<OutputConstraint, 'reasoningEffort'>
): ReasoningFormat | undefined {
  if (reasoning === undefined || switched === undefined || reasoningEffort === undefined) return reasoning
  return { ...reasoning, begun: reasoningEffort === 'none' ? switched.off : switched.on }
}

/**
 * The format for models whose template does not support tools. The Hermes models use it, and other models were trained
 * on it too.
 */
export const GENERIC_CALLS: JsonCalls = {
  opening: '<tool_call>\n',
  between: '\n</tool_call>\n<tool_call>\n',
  closing: '\n</tool_call>',
  name: 'name',
  arguments: 'arguments'
}
