/** Requests against their schemas; the first thing that is wrong becomes a 400 that names the field. */
import type { z } from 'zod'

import { invalid, unsupported } from '../errors.ts'

/** @throws ApiError 400 */
export function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const { path, message } = furthest(result.error.issues)
  const param = written(path)
  throw invalid(param === '' ? null : param, `Invalid '${param}': ${uncapitalized(message)}.`, 'invalid_value')
}

/** Schemas for the fields of a request. */
export type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> }

/** Absent, or null as many clients write it. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined)
}

/** A field that the API has and this gateway cannot honour, unless it says what happens anyway. */
export interface Refusal {
  /** Values that ask for nothing else. */
  except?: readonly unknown[]
  why: string
}

/** @throws ApiError 400 for a field that could only be ignored */
export function refuse(body: Readonly<Record<string, unknown>>, refusals: Readonly<Record<string, Refusal>>): void {
  for (const [name, { except = [], why }] of Object.entries(refusals)) {
    const value = body[name]
    if (value === undefined || value === null) continue
    const written = JSON.stringify(value)
    if (except.some((allowed) => JSON.stringify(allowed) === written)) continue
    throw unsupported(name, `'${name}' cannot be honoured: ${why}.`)
  }
}

/** Without the fields that were not given: options take a missing field for the default. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

interface Issue {
  path: readonly PropertyKey[]
  message: string
}

/** Of a union's alternatives the one that went furthest is what was meant. */
function furthest(issues: readonly z.core.$ZodIssue[]): Issue {
  const [first] = issues
  if (first === undefined) return { path: [], message: 'is invalid' }
  if (first.code !== 'invalid_union') return first
  const alternatives = first.errors.filter((errors) => errors.length > 0).map((errors) => furthest(errors))
  const best = alternatives.reduce<Issue | undefined>(
    (found, issue) => (issue.path.length > (found?.path.length ?? -1) ? issue : found),
    undefined
  )
  if (best === undefined) return first
  return { path: [...first.path, ...best.path], message: best.message }
}

/** `messages[0].content`. */
function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')
}

function uncapitalized(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
