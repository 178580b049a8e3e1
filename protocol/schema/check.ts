/** Whether a JSON schema can be enforced. */

/** What stands in the way of a schema. */
export interface SchemaIssue {
  /** JSON pointer to the schema that holds it, `#/properties/age`. */
  path: string
  keyword: string
  /** Follows the keyword in a sentence: "is not supported". */
  reason: string
}

export interface SchemaOptions {
  /** Leave keywords beyond the subset unenforced rather than name them. Default false. */
  lenient?: boolean
}

/** The first keyword that cannot be enforced; undefined for a schema of the supported subset. */
export function checkSchema(schema: unknown, _options: SchemaOptions = {}): SchemaIssue | undefined {
  if (typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null)) return undefined
  return { path: '#', keyword: '', reason: 'must be an object or a boolean' }
}
