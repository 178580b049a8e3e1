/** How a model writes what is not plain text: its calls of tools and its reasoning. */

/** `opening`, the calls with `between` between them, `closing`; each call an object with these two keys first. */
export interface CallFormat {
  /** Tells a call from text. Empty: an answer that begins with a call's brace and first key is one. */
  opening: string
  /** Undefined where the model makes one call at a time. */
  between?: string
  closing: string
  /** Keys of the tool's name and of the arguments, in this order. */
  name: string
  arguments: string
}

/** How a call begins where no mark opens it. */
export function bareOpening({ name }: CallFormat): string {
  return `{"${name}":`
}

export interface ReasoningFormat {
  open: string
  close: string
  /** The prompt ends with `open`: the answer begins inside. */
  begun: boolean
}

export interface ChatFormat {
  calls: CallFormat
  /** Undefined for a model that does not reason apart. */
  reasoning?: ReasoningFormat
}

/**
 * For models whose template knows nothing of tools: the convention of the Hermes models, which several
 * others were trained on since.
 */
export const GENERIC_CALLS: CallFormat = {
  opening: '<tool_call>\n',
  between: '\n</tool_call>\n<tool_call>\n',
  closing: '\n</tool_call>',
  name: 'name',
  arguments: 'arguments'
}
