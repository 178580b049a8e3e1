/**
 * @module protocol/schema
 *
 * Compiles JSON schemas to grammars.
 */
export { checkSchema, compileSchema } from './check.ts'
export type { SchemaBudget, SchemaOptions } from './compiler.ts'
export type { SchemaIssue } from './error.ts'
