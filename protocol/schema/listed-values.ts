import type { Keywords } from './keywords.ts'
import { isType } from './keywords.ts'
import { resolvePointer } from './pointer.ts'
import { isOfType } from './scalars.ts'

/** Longest chain of references and alternatives to the listed values. */
const DEEPEST = 4

/** Returns the values that a schema allows, if it lists all of them; undefined otherwise. */
export function listedValues(schema: unknown, root: unknown, depth = 0): unknown[] | undefined {
  if (typeof schema !== 'object' || schema === null || depth > DEEPEST) return undefined
  const { $ref, type, enum: list, anyOf, ...others } = schema as Keywords
  if ($ref !== undefined) return listedValues(resolvePointer(root, $ref), root, depth + 1)
  if (Object.hasOwn(others, 'const')) return [others.const]
  if (Array.isArray(list)) {
    const types = (Array.isArray(type) ? type : [type]).filter(isType)
    return type === undefined ? list : list.filter((value) => types.some((one) => isOfType(value, one)))
  }
  if (type === 'boolean') return [true, false]
  if (type === 'null') return [null]
  if (!Array.isArray(anyOf)) return undefined
  const all = anyOf.map((one) => listedValues(one, root, depth + 1))
  return all.some((values) => values === undefined) ? undefined : all.flatMap((values) => values ?? [])
}
