/**
 * @module protocol/schema
 *
 * Compiles JSON schemas to grammars.
 */
export { checkPattern, compilePattern } from './pattern.ts'
export { checkSchema, compileSchema } from './check.ts'
export { newBudget, type SchemaBudget, type SchemaOptions } from './compiler.ts'
export type { SchemaIssue } from './error.ts'
