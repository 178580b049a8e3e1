/** What the compilers of objects and arrays need from the compiler of schemas. */
import type { GrammarNode } from '../grammar/machine.ts'
import { Alternation, Concatenation } from '../grammar/structure.ts'
import { Literal } from '../grammar/text.ts'
import { SchemaError, SchemaTooLarge } from './error.ts'

export interface SchemaContext {
  /** The document that references point into. */
  readonly root: unknown
  /** Whether to ignore keywords that the grammar cannot enforce. */
  readonly lenient: boolean
  compile: (schema: unknown, path: string, depth: number) => GrammarNode
  anything: () => GrammarNode
  choice: (nodes: readonly GrammarNode[]) => GrammarNode
  sequence: (...nodes: readonly GrammarNode[]) => GrammarNode
  /** Adds a node whose nesting must be measured. */
  keep: <N extends GrammarNode>(node: N) => N
  /** Counts schemas and listed values. */
  spend: (schemas: number, path: string) => void
  /** Counts the steps of comparisons and patterns. */
  compare: (steps: number, path: string, keyword: string) => void
}

const SPACE = new Alternation(new Literal(' '), new Concatenation())
/** Separates the items of an array and the members of an object. */
export const COMMA: GrammarNode = new Concatenation(new Literal(','), SPACE)
/** Separates a key and its value. */
export const COLON: GrammarNode = new Concatenation(new Literal(':'), SPACE)

/** In lenient mode, returns undefined for a keyword that the grammar cannot enforce. */
export function ifPossible<T>({ lenient }: SchemaContext, make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (!lenient || !(error instanceof SchemaError) || error instanceof SchemaTooLarge) throw error
    return undefined
  }
}
