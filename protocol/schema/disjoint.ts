/** Decides whether `oneOf` can be treated as `anyOf`, because no value is valid by two of its schemas. */
import type { Keywords } from './keywords.ts'
import { resolvePointer } from './pointer.ts'

/** What the schema says about a value without its members. Each is undefined if the schema does not say it. */
interface Bounds {
  /** The allowed values, as JSON. */
  values: ReadonlySet<string> | undefined
  /** The names of the allowed types. An integer counts as a number. */
  types: ReadonlySet<unknown> | undefined
}

interface Facts extends Bounds {
  /** The required members, by name. */
  members: ReadonlyMap<string, Bounds>
}

/** Called before `steps` steps. It throws if there were too many. */
type Compare = (steps: number) => void

/**
 * Returns true if no value is valid by two of the schemas. False: such a value exists, or this function cannot decide.
 *
 * @throws what `compare` throws
 */
export function areDisjoint(schemas: readonly unknown[], root: unknown, compare: Compare): boolean {
  // Many schemas can refer to one.
  const known = new Map<Keywords, Facts>()
  const all = schemas.map((schema) => {
    const keywords = resolve(schema, root)
    const facts = known.get(keywords) ?? factsOf(keywords)
    known.set(keywords, facts)
    return facts
  })
  // Lists of constants, and objects with a tag, need no comparison of each with each.
  if (haveDistinctValues(all, compare)) return true
  for (const name of all[0]?.members.keys() ?? []) {
    const tags = all.map(({ members }) => members.get(name))
    if (haveDistinctValues(tags, compare)) return true
  }
  for (let index = 0; index < all.length; index++) {
    for (let other = index + 1; other < all.length; other++) {
      const [a, b] = [all[index]!, all[other]!]
      if (!differ(a, b, compare) && !differInMember(a, b, compare)) return false
    }
  }
  return true
}

function resolve(schema: unknown, root: unknown): Keywords {
  const keywords = isObject(schema) ? schema : {}
  const target = resolvePointer(root, keywords.$ref)
  return isObject(target) ? target : keywords
}

function factsOf(schema: Keywords): Facts {
  const { properties, required } = schema
  const members = new Map<string, Bounds>()
  for (const name of isObject(properties) && Array.isArray(required) ? required : []) {
    if (typeof name !== 'string' || members.has(name) || !Object.hasOwn(properties as Keywords, name)) continue
    const member = (properties as Keywords)[name]
    if (isObject(member)) members.set(name, boundsOf(member))
  }
  return { ...boundsOf(schema), members }
}

function boundsOf(schema: Keywords): Bounds {
  return { values: valuesOf(schema), types: typesOf(schema) }
}

/** Whether all list their values, and no value is in two lists. */
function haveDistinctValues(all: readonly (Bounds | undefined)[], compare: Compare): boolean {
  const seen = new Set<string>()
  let count = 0
  for (const bounds of all) {
    if (bounds?.values === undefined) return false
    compare(bounds.values.size)
    count += bounds.values.size
    for (const value of bounds.values) seen.add(value)
    if (seen.size < count) return false
  }
  return true
}

/** Whether the two have no listed value in common or, if not both list values, no type. */
function differ(a: Bounds, b: Bounds, compare: Compare): boolean {
  if (a.values !== undefined && b.values !== undefined) return haveNoneInCommon(a.values, b.values, compare)
  return a.types !== undefined && b.types !== undefined && haveNoneInCommon(a.types, b.types, compare)
}

/** Whether both require a member, such as a tag, for which they allow different values. */
function differInMember(a: Facts, b: Facts, compare: Compare): boolean {
  for (const [name, member] of a.members) {
    compare(1)
    const other = b.members.get(name)
    if (other !== undefined && differ(member, other, compare)) return true
  }
  return false
}

function haveNoneInCommon<T>(a: ReadonlySet<T>, b: ReadonlySet<T>, compare: Compare): boolean {
  compare(1 + Math.min(a.size, b.size))
  const [small, large] = a.size < b.size ? [a, b] : [b, a]
  for (const value of small) if (large.has(value)) return false
  return true
}

function valuesOf(schema: Keywords): Set<string> | undefined {
  if (Object.hasOwn(schema, 'const')) return new Set([JSON.stringify(schema.const)])
  return Array.isArray(schema.enum) ? new Set(schema.enum.map((value) => JSON.stringify(value))) : undefined
}

function typesOf(schema: Keywords): Set<unknown> | undefined {
  if (Array.isArray(schema.type)) return new Set(schema.type.map(broad))
  if (schema.type !== undefined) return new Set([broad(schema.type)])
  const values = Object.hasOwn(schema, 'const') ? [schema.const] : schema.enum
  if (!Array.isArray(values)) return undefined
  return new Set(values.map((value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)))
}

function broad(type: unknown): unknown {
  return type === 'integer' ? 'number' : type
}

function isObject(value: unknown): value is Keywords {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
