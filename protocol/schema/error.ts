/** The reason why a schema cannot be enforced. */
export interface SchemaIssue {
  /** JSON pointer to the schema that contains the issue, such as `#/properties/age`. */
  path: string
  /** Empty if the issue is the schema as a whole. */
  keyword: string
  /** The end of a sentence that begins with path and keyword, such as "is not supported". */
  reason: string
}

/** The schema cannot be enforced. `SchemaTooLarge` is thrown in lenient mode too. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly issue: SchemaIssue

  constructor(path: string, keyword: string, reason: string) {
    super([path, keyword, reason].filter((part) => part !== '').join(' '))
    this.issue = { path, keyword, reason }
  }
}

/** The schema is larger or takes longer than the budget allows. */
export class SchemaTooLarge extends SchemaError {}
