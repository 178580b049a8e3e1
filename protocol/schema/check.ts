/** Whether a JSON schema can be enforced, and the grammar that does it. */
import type { JsonSchema } from '../generation.ts'
import { begin, TooManyWays, type Node } from '../grammar/machine.ts'
import { MAX_NESTING } from '../grammar/limits.ts'
import { SchemaCompiler } from './compiler.ts'
import { SchemaError } from './error.ts'

/** What stands in the way of a schema. */
export interface SchemaIssue {
  /** JSON pointer to the schema that holds it, `#/properties/age`. */
  path: string
  /** Empty if it is the schema itself. */
  keyword: string
  /** Follows path and keyword in a sentence: "is not supported". */
  reason: string
}

export interface SchemaOptions {
  /**
   * What the grammar cannot express is left open: keywords of values are not enforced, and where schemas are
   * combined any value may stand. Default false.
   */
  lenient?: boolean
  /** Shared by the schemas of one request. Default: `MAX_SCHEMA_NODES` for each. */
  budget?: SchemaBudget
}

/** Schemas, and values that they list, that may still be compiled. */
export interface SchemaBudget {
  schemas: number
}

/** The first keyword that cannot be enforced; undefined for a schema of the supported subset. */
export function checkSchema(schema: unknown, options: SchemaOptions = {}): SchemaIssue | undefined {
  try {
    compileSchema(schema as JsonSchema, options)
    return undefined
  } catch (error) {
    if (error instanceof SchemaError) return error.issue
    throw error
  }
}

/**
 * The grammar of all documents that are valid by the schema, written compactly with at most one space after
 * a comma or colon, members in the schema's order, numbers in plain decimals.
 *
 * @throws SchemaError for what `checkSchema` names
 */
export function compileSchema(schema: JsonSchema, options: SchemaOptions = {}): Node {
  const compiler = new SchemaCompiler(schema, options)
  const root = compiler.compile(schema, '#', 0)
  compiler.finish()
  if (root.nesting > MAX_NESTING) throw new SchemaError('#', '', `allows no document of at most ${MAX_NESTING} levels`)
  try {
    begin(root)
  } catch (error) {
    if (error instanceof TooManyWays) throw new SchemaError('#', '', 'has too many alternatives')
    throw error
  }
  return root
}
