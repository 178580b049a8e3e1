export { checkSchema, type SchemaIssue } from './check.ts'
