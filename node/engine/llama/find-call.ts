/** Finds a known tool call in the text that a chat template renders, and how the template writes it. */
import type { JsonCalls, NamedCalls, OtherType, QuotedCalls, TaggedCalls } from '../output/chat-format.ts'

/** The tool of the known call. */
export const NAME = 'potluck_probe'
/** Its arguments. No other text of a template contains these keys and values. */
export const ARGUMENTS: Readonly<Record<string, number | string>> = {
  potluck_a: 7001,
  potluck_b: 7002,
  potluck_c: 'potluck_text'
}

type Syntax<T> = Omit<T, 'opening' | 'between' | 'closing'>

export interface FoundCall {
  start: number
  end: number
  syntax: Syntax<JsonCalls> | Syntax<NamedCalls> | Syntax<TaggedCalls> | Syntax<QuotedCalls>
}

/** The id of the known call. Some templates refuse an id of fewer than 9 characters. */
export function callId(index: number): string {
  return `probe000${index}`
}

const ID = /probe000\d/

/**
 * Finds the first call at or after `from`:
 *
 * - a JSON object with the name, the arguments, and perhaps an id: `{"name": "find", "arguments": {"what": "fox"}}`
 * - the name, perhaps an id, a separator, and the arguments as a JSON object: `find<sep>{"what": "fox"}`
 * - the name, and an object with quote marks of its own: `find{what:<q>fox<q>}`
 * - the name, and tags around each key and value: `find<key>what</key><value>fox</value>`
 */
export function findCall(text: string, from: number): FoundCall | undefined {
  return findJson(text, from) ?? findNamed(text, from) ?? findWithMarks(text, from)
}

function findJson(text: string, from: number): FoundCall | undefined {
  for (let start = text.indexOf('{', from); start >= 0; start = text.indexOf('{', start + 1)) {
    const found = objectAt(text, start)
    const [[name, called] = [], [key, value] = [], [id, given] = [], more] = Object.entries(found?.object ?? {})
    if (found === undefined || called !== NAME || !isArguments(value) || more !== undefined) continue
    if (id !== undefined && typeof given !== 'string') continue
    const syntax = { name: name!, arguments: key!, ...(id === undefined ? {} : { id }) }
    return { start, end: found.end, syntax }
  }
  return undefined
}

function findNamed(text: string, from: number): FoundCall | undefined {
  const start = text.indexOf(NAME, from)
  const begin = start < 0 ? -1 : text.indexOf('{', start)
  const found = begin < 0 ? undefined : objectAt(text, begin)
  const gap = text.slice(start + NAME.length, begin)
  if (found === undefined || !isArguments(found.object) || gap.trim() === '') return undefined
  const [beforeId, separator] = gap.split(ID)
  const syntax = separator === undefined ? { separator: gap } : { beforeId: beforeId!, separator }
  return { start, end: found.end, syntax }
}

function findWithMarks(text: string, from: number): FoundCall | undefined {
  const start = text.indexOf(NAME, from)
  if (start < 0) return undefined
  /** The texts between the name, the keys and the values. */
  const gaps: string[] = []
  let end = start + NAME.length
  for (const part of Object.entries(ARGUMENTS).flat().map(String)) {
    const at = text.indexOf(part, end)
    if (at < 0) return undefined
    gaps.push(text.slice(end, at))
    end = at + part.length
  }
  return findQuoted(text, start, end, gaps) ?? findTagged(text, start, end, gaps)
}

function findQuoted(text: string, start: number, end: number, gaps: readonly string[]): FoundCall | undefined {
  const quote = gaps.at(-1)!.slice(1)
  if (quote.trim() === '' || gaps.join(' ') !== `{ : , : , :${quote}`) return undefined
  return text.startsWith(`${quote}}`, end) ? { start, end: end + quote.length + 1, syntax: { quote } } : undefined
}

function findTagged(text: string, start: number, end: number, gaps: readonly string[]): FoundCall | undefined {
  const [first, afterNumberKey, second, again, third, afterKey] = gaps as [
    string,
    string,
    string,
    string,
    string,
    string
  ]
  const beforeKey = commonEnd(first, second)
  const afterValue = second.slice(0, second.length - beforeKey.length)
  const marks = [beforeKey, afterKey, afterNumberKey, afterValue]
  if (again !== afterNumberKey || third !== second || marks.some((mark) => mark.trim() === '')) return undefined
  if (!text.startsWith(afterValue, end)) return undefined
  const afterName = first.slice(0, first.length - beforeKey.length)
  const syntax = { afterName, beforeKey, afterKey, afterValue }
  if (afterKey === afterNumberKey) return { start, end: end + afterValue.length, syntax }
  // `withOtherMarks` replaces the marks of the types that the known call does not have.
  const afterOtherKey = Object.fromEntries(Object.keys(OTHER_VALUES).map((type) => [type, afterNumberKey]))
  return {
    start,
    end: end + afterValue.length,
    syntax: { ...syntax, afterOtherKey: afterOtherKey as Record<OtherType, string> }
  }
}

/** A value of each type that is not a string. */
export const OTHER_VALUES: Readonly<Record<OtherType, unknown>> = {
  number: 7001,
  boolean: true,
  null: null,
  array: [],
  object: {}
}

/**
 * Returns the mark after the key in a call whose only argument is `potluck_a`, with this value; undefined if there is
 * none.
 *
 * @param json the value as the template writes it
 */
export function markAfterKey(text: string, from: number, json: string, afterValue: string): string | undefined {
  const start = text.indexOf('potluck_a', text.indexOf(NAME, from)) + 'potluck_a'.length
  const end = text.indexOf(json + afterValue, start)
  return end < 0 ? undefined : text.slice(start, end)
}

/** Returns the JSON object that begins with this brace. */
function objectAt(text: string, start: number): { object: object; end: number } | undefined {
  for (let end = text.indexOf('}', start); end >= 0; end = text.indexOf('}', end + 1)) {
    try {
      return { object: JSON.parse(text.slice(start, end + 1)) as object, end: end + 1 }
    } catch {
      continue
    }
  }
  return undefined
}

function isArguments(value: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(ARGUMENTS)
}

function commonEnd(one: string, other: string): string {
  let length = 0
  while (length < Math.min(one.length, other.length) && one.at(-1 - length) === other.at(-1 - length)) length++
  return length === 0 ? '' : one.slice(-length)
}
