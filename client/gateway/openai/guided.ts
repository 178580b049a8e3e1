/** vLLM's fields that constrain an answer: `guided_json`, `guided_regex`, `guided_choice` and `structured_outputs`. */
import { checkPattern, type ResponseFormat } from '@potluck/protocol'
import { z } from 'zod'

import { invalid, unsupported } from '../errors.ts'
import { toSchemaFormat } from './tools.ts'
import { optional, type Fields, type RefusedField } from '../validate.ts'

type Schema = string | Record<string, unknown>

interface Constraints {
  json: Schema | undefined
  regex: string | undefined
  choice: string[] | undefined
  json_object: boolean | undefined
}

export interface GuidedRequest {
  guided_json: Schema | undefined
  guided_regex: string | undefined
  guided_choice: string[] | undefined
  structured_outputs: Constraints | undefined
}

const schema: z.ZodType<Schema> = z.union([z.record(z.string(), z.unknown()), z.string()])
const choice = z.array(z.string().min(1)).min(1)
const notSupported = (what: string): z.ZodType =>
  optional(z.never(`${what} are not supported; send a schema or a regex`))

export const guidedFields: Fields<GuidedRequest> = {
  guided_json: optional(schema),
  guided_regex: optional(z.string().min(1)),
  guided_choice: optional(choice),
  structured_outputs: optional(
    z.looseObject({
      json: optional(schema),
      regex: optional(z.string().min(1)),
      choice: optional(choice),
      json_object: optional(z.boolean()),
      grammar: notSupported('grammars'),
      structural_tag: notSupported('structural tags'),
      whitespace_pattern: notSupported('patterns of blanks')
    })
  )
}

export const GUIDED_REFUSED: Readonly<Record<string, RefusedField>> = {
  guided_grammar: { why: 'send a schema or a regex' },
  guided_whitespace_pattern: { why: 'the nodes decide where blanks are' },
  grammar: { why: 'send a schema or a regex' },
  json_schema: { why: "send it as 'response_format'" }
}

/**
 * Returns the format of the answer.
 *
 * @param given from `response_format`
 * @throws ApiError 400 if there are several formats, or one that the nodes cannot enforce
 */
export function guidedFormat(request: GuidedRequest, given?: ResponseFormat): ResponseFormat | undefined {
  const { json, regex, choice: choices, json_object } = request.structured_outputs ?? {}
  const formats: [string, ResponseFormat | undefined][] = [
    ['response_format', given],
    ['guided_json', ofJson(request.guided_json, 'guided_json')],
    ['guided_regex', ofRegex(request.guided_regex, 'guided_regex')],
    ['guided_choice', ofChoice(request.guided_choice, 'guided_choice')],
    ['structured_outputs', ofJson(json, 'structured_outputs.json')],
    ['structured_outputs', ofRegex(regex, 'structured_outputs.regex')],
    ['structured_outputs', ofChoice(choices, 'structured_outputs.choice')],
    ['structured_outputs', json_object === true ? { type: 'json_object' } : undefined]
  ]
  const [first, second] = formats.filter(([, format]) => format !== undefined)
  if (second !== undefined) {
    throw invalid(second[0], `Invalid '${second[0]}': an answer can have only one format.`, 'invalid_value')
  }
  return first?.[1]
}

function ofJson(json: Schema | undefined, path: string): ResponseFormat | undefined {
  if (json === undefined) return undefined
  return toSchemaFormat(typeof json === 'string' ? parsed(json, path) : json, path)
}

function parsed(text: string, path: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  } catch {
    // The error below names the field. The parser's own message would quote the schema.
  }
  throw invalid(path, `Invalid '${path}': it is not a JSON object.`, 'invalid_value')
}

function ofRegex(pattern: string | undefined, path: string): ResponseFormat | undefined {
  if (pattern === undefined) return undefined
  const issue = checkPattern(pattern)
  if (issue === undefined) return { type: 'regex', pattern }
  throw unsupported(path, `Invalid '${path}': the regular expression ${issue}.`)
}

function ofChoice(choices: readonly string[] | undefined, path: string): ResponseFormat | undefined {
  return ofRegex(choices?.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), path)
}
