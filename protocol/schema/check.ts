/** Decides whether a JSON schema can be enforced, and makes the grammar that enforces it. */
import type { JsonSchema } from '../generation.ts'
import { MAX_NESTING } from '../grammar/limits.ts'
import { begin, TooManyWays, type GrammarNode } from '../grammar/machine.ts'
import { SchemaCompiler, type SchemaOptions } from './compiler.ts'
import { SchemaError, type SchemaIssue } from './error.ts'

/** Returns the first reason why the schema cannot be enforced; undefined if it can. */
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
 * Returns the grammar of the documents that are valid by the schema. They must also be compact: at most one space after
 * a comma or colon, members in the schema's order, numbers in plain decimals.
 *
 * @throws SchemaError with the issue that `checkSchema` returns
 */
export function compileSchema(schema: JsonSchema, options: SchemaOptions = {}): GrammarNode {
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
