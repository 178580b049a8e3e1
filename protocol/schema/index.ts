/**
 * @module protocol/schema
 *
 * Compiles JSON schemas to grammars.
 */
export { checkSchema, compileSchema } from './check.ts'
export { newBudget, type SchemaBudget, type SchemaOptions } from './compiler.ts'
export type { SchemaIssue } from './error.ts'
