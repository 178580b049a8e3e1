import type { ToolCallDelta } from '@potluck/protocol'

/** What a piece of text adds to the answer. */
export interface Parts {
  text: string
  reasoning: string
  calls: ToolCallDelta[]
}

/** Splits the growing text of an answer into its parts. */
export interface Parser {
  /** Whether the answer has at least one call and all of them are complete. */
  readonly called: boolean
  /** Adds a piece of text. Returns the parts that are now certain. */
  push: (text: string) => Parts
  /** Ends the answer. Returns the pending text, unless it is the beginning of a call. */
  finish: () => Parts
}
