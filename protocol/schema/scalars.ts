/** Compiles the schemas of numbers, and checks the types of listed values. */
import { JsonNumber, type NumberBound } from '../grammar/json-number.ts'
import type { GrammarNode } from '../grammar/machine.ts'
import { SchemaError } from './error.ts'
import type { JsonType, Keywords } from './keywords.ts'

export function numberOf(type: 'number' | 'integer', keywords: Keywords, path: string): GrammarNode {
  const bound = (inclusive: string, exclusive: string, sign: 1 | -1): NumberBound | undefined => {
    const bounds = [inclusive, exclusive].flatMap((keyword, index) => {
      const value = keywords[keyword]
      if (value === undefined) return []
      if (typeof value !== 'number' || !Number.isFinite(value)) throw new SchemaError(path, keyword, 'must be a number')
      return [{ value, exclusive: index === 1 }]
    })
    // The tighter of two bounds; if they are equal, the exclusive one.
    return bounds.toSorted((a, b) => sign * (b.value - a.value) || Number(b.exclusive) - Number(a.exclusive))[0]
  }
  const least = bound('minimum', 'exclusiveMinimum', 1)
  const most = bound('maximum', 'exclusiveMaximum', -1)
  const { multipleOf } = keywords
  if (multipleOf !== undefined && !(typeof multipleOf === 'number' && multipleOf > 0 && multipleOf < Infinity)) {
    throw new SchemaError(path, 'multipleOf', 'must be a number above 0')
  }
  const number = JsonNumber.between({
    integer: type === 'integer',
    ...(least === undefined ? {} : { least }),
    ...(most === undefined ? {} : { most }),
    ...(multipleOf === undefined ? {} : { multipleOf })
  })
  if (number !== undefined) return number
  const keyword = multipleOf !== undefined ? 'multipleOf' : least === undefined ? 'maximum' : 'minimum'
  throw new SchemaError(path, keyword, 'allows no number of at most 15 digits')
}

export function countOf(keywords: Keywords, keyword: string, path: string): number | undefined {
  const value = keywords[keyword]
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new SchemaError(path, keyword, 'must be a whole number of at least 0')
}

export function isOfType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'boolean':
    case 'number':
    case 'string':
      return typeof value === type
  }
}
