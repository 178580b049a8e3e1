export { checkSchema, compileSchema, type SchemaIssue, type SchemaOptions } from './check.ts'
