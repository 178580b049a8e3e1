/** Keywords of JSON schema, draft 2020-12, and how far they go. */

/** Say nothing of what is valid. */
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
  'discriminator'
])

export type Type = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

const BOUNDS: readonly string[] = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']

/** The keywords that are enforced for a value of each type. */
const BY_TYPE: Readonly<Record<Type, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
  number: BOUNDS,
  integer: BOUNDS,
  boolean: [],
  null: []
}

export const TYPES: readonly Type[] = Object.keys(BY_TYPE) as Type[]

export function isType(name: unknown): name is Type {
  return TYPES.some((type) => type === name)
}

/** The keywords of all types. */
const OF_VALUES: ReadonlySet<string> = new Set(TYPES.flatMap((type) => BY_TYPE[type]))

/** The types that a schema without `type` means by its other keywords. */
export function impliedTypes(schema: object): Type[] {
  const keywords = Object.keys(schema).filter((keyword) => OF_VALUES.has(keyword))
  // An integer's keywords are a number's.
  return TYPES.filter((type) => type !== 'integer' && keywords.some((keyword) => BY_TYPE[type].includes(keyword)))
}

/**
 * The first keyword that is neither an annotation nor among the enforced ones. Keywords of other types
 * than the value's say nothing of it.
 *
 * @param typed the value has types, so that their keywords are enforced
 */
export function unenforced(schema: object, enforced: readonly string[], typed: boolean): string | undefined {
  return Object.keys(schema).find(
    (keyword) => !ANNOTATIONS.has(keyword) && !enforced.includes(keyword) && !(typed && OF_VALUES.has(keyword))
  )
}
