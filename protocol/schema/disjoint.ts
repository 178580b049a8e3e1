/** Decides whether `oneOf` can be treated as `anyOf`, because no value is valid by two of its schemas. */
import type { Keywords } from './keywords.ts'
import { resolvePointer } from './pointer.ts'

/**
 * Returns true if no value is valid by two of the schemas. False: such a value exists, or this function cannot decide.
 */
export function areDisjoint(schemas: readonly unknown[], root: unknown): boolean {
  const resolved = schemas.map((schema) => resolve(schema, root))
  return resolved.every((a, index) => resolved.slice(index + 1).every((b) => differ(a, b) || differInMember(a, b)))
}

function resolve(schema: unknown, root: unknown): Keywords {
  const keywords = isObject(schema) ? schema : {}
  const target = resolvePointer(root, keywords.$ref)
  return isObject(target) ? target : keywords
}

/** Whether the two schemas have no listed value in common or, if not both list values, no type. */
function differ(a: Keywords, b: Keywords): boolean {
  const [valuesA, valuesB] = [valuesOf(a), valuesOf(b)]
  if (valuesA !== undefined && valuesB !== undefined) return !valuesA.some((value) => valuesB.includes(value))
  const [typesA, typesB] = [typesOf(a), typesOf(b)]
  return typesA !== undefined && typesB !== undefined && !typesA.some((type) => typesB.includes(type))
}

/** Whether both schemas require a member, such as a tag, for which they allow different values. */
function differInMember(a: Keywords, b: Keywords): boolean {
  const [propertiesA, propertiesB] = [a.properties, b.properties]
  if (!isObject(propertiesA) || !isObject(propertiesB)) return false
  return Object.keys(propertiesA).some((name) => {
    const [memberA, memberB] = [propertiesA[name], propertiesB[name]]
    const both = [a, b].every(({ required }) => Array.isArray(required) && required.includes(name))
    return both && isObject(memberA) && isObject(memberB) && differ(memberA, memberB)
  })
}

function valuesOf(schema: Keywords): string[] | undefined {
  if (Object.hasOwn(schema, 'const')) return [JSON.stringify(schema.const)]
  return Array.isArray(schema.enum) ? schema.enum.map((value) => JSON.stringify(value)) : undefined
}

/** The names of the types; an integer counts as a number. */
function typesOf(schema: Keywords): unknown[] | undefined {
  if (Array.isArray(schema.type)) return schema.type.map(broad)
  if (schema.type !== undefined) return [broad(schema.type)]
  const values = Object.hasOwn(schema, 'const') ? [schema.const] : schema.enum
  if (!Array.isArray(values)) return undefined
  return values.map((value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value))
}

function broad(type: unknown): unknown {
  return type === 'integer' ? 'number' : type
}

function isObject(value: unknown): value is Keywords {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
