import type { SchemaIssue } from './check.ts'

/** A schema that cannot be enforced. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly issue: SchemaIssue

  constructor(path: string, keyword: string, reason: string) {
    super([path, keyword, reason].filter((part) => part !== '').join(' '))
    this.issue = { path, keyword, reason }
  }
}
