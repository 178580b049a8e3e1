/** The keywords of JSON schema, draft 2020-12, that the grammar enforces or can ignore. */

/** A schema: the value of each keyword. */
export type Keywords = Readonly<Record<string, unknown>>

/** Keywords that do not affect which values are valid. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'example',
  'deprecated',
  'readOnly',
  'writeOnly',
  'discriminator',
  'contentMediaType',
  'contentEncoding',
  'contentSchema'
])

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

const OF_NUMBERS: readonly string[] = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']

/** The keywords that the grammar enforces for values of each type. */
const BY_TYPE: Readonly<Record<JsonType, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: OF_NUMBERS,
  integer: OF_NUMBERS,
  boolean: [],
  null: []
}

export const TYPES: readonly JsonType[] = Object.keys(BY_TYPE) as JsonType[]

export function isType(name: unknown): name is JsonType {
  return TYPES.some((type) => type === name)
}

/** The keywords of all types together. */
const OF_VALUES: ReadonlySet<string> = new Set(TYPES.flatMap((type) => BY_TYPE[type]))

/** Returns the types that the keywords of a schema without `type` apply to. */
export function impliedTypes(schema: object): JsonType[] {
  const keywords = Object.keys(schema).filter((keyword) => OF_VALUES.has(keyword))
  // Integers have the same keywords as numbers.
  return TYPES.filter((type) => type !== 'integer' && keywords.some((keyword) => BY_TYPE[type].includes(keyword)))
}

/**
 * Returns the first keyword that is neither an annotation nor enforced.
 *
 * @param enforced keywords that the caller enforces
 * @param typed whether the schema has types. If so, the keywords of `BY_TYPE` count as enforced
 */
export function unenforced(schema: object, enforced: readonly string[], typed: boolean): string | undefined {
  return Object.keys(schema).find(
    (keyword) => !ANNOTATIONS.has(keyword) && !enforced.includes(keyword) && !(typed && OF_VALUES.has(keyword))
  )
}
