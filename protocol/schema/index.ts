export { checkSchema, compileSchema, type SchemaBudget, type SchemaIssue, type SchemaOptions } from './check.ts'
