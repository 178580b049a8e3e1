/** Keywords of JSON schema, draft 2020-12, and how far they go. */

/** Say nothing of what is valid. */
const ANNOTATIONS: readonly string[] = [
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
]

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

/** The types that a schema without `type` means by its other keywords. */
export function impliedTypes(schema: object): Type[] {
  // An integer's keywords are a number's.
  return TYPES.filter((type) => type !== 'integer' && BY_TYPE[type].some((keyword) => Object.hasOwn(schema, keyword)))
}

/**
 * The first keyword that is neither an annotation nor among the enforced ones. Keywords of other types
 * than the value's say nothing of it.
 *
 * @param enforced beside those of the types
 */
export function unenforced(
  schema: object,
  enforced: readonly string[],
  types: readonly Type[] = []
): string | undefined {
  const known = new Set([
    ...ANNOTATIONS,
    ...enforced,
    ...(types.length === 0 ? [] : TYPES.flatMap((type) => BY_TYPE[type]))
  ])
  return Object.keys(schema).find((keyword) => !known.has(keyword))
}
