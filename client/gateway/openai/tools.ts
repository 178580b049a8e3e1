/** Converts OpenAI's tools, tool choice and response format to the network's. */
import { checkSchema, type ResponseFormat, type Tool, type ToolChoice } from '@potluck/protocol'
import { z } from 'zod'

import { invalid, unsupported } from '../errors.ts'
import { defined, optional, type Fields } from '../validate.ts'

const name = z.string().regex(/^[\w.-]{1,64}$/, "must be letters, digits, '_', '-' or '.', at most 64")
const schema = z.record(z.string(), z.unknown())

/** A function that the model may call. Chat completions nest it under `function`, responses do not. */
export interface FunctionRequest {
  name: string
  description: string | undefined
  parameters: Record<string, unknown> | undefined
  strict: boolean | undefined
}

export const functionFields: Fields<FunctionRequest> = {
  name,
  description: optional(z.string()),
  parameters: optional(schema),
  strict: optional(z.boolean())
}

export type ToolChoiceRequest = 'none' | 'auto' | 'required' | { function: { name: string } }

/** A schema and its name. Chat completions and responses have the same fields. */
export interface SchemaRequest {
  name: string
  schema: Record<string, unknown> | undefined
}

export const schemaFields: Fields<SchemaRequest> = { name, schema: optional(schema) }

export type FormatRequest =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; json_schema: SchemaRequest }

export const toolsField: z.ZodType<{ function: FunctionRequest }[] | undefined> = optional(
  z.array(z.looseObject({ type: z.literal('function'), function: z.looseObject(functionFields) }))
)

export const toolChoiceField: z.ZodType<ToolChoiceRequest | undefined> = optional(
  z.union([
    z.enum(['none', 'auto', 'required']),
    z.looseObject({ type: z.literal('function'), function: z.looseObject({ name }) })
  ])
)

export const responseFormatField: z.ZodType<FormatRequest | undefined> = optional(
  z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object') }),
    z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject(schemaFields) })
  ])
)

/** @param path path of the function in the request, for error messages */
export function toTool({ name: called, description, parameters, strict }: FunctionRequest, path: string): Tool {
  if (parameters !== undefined) check(parameters, `${path}.parameters`, { lenient: strict !== true })
  return { name: called, ...defined({ description, parameters, strict }) }
}

export function toToolChoice(choice: ToolChoiceRequest | undefined): ToolChoice | undefined {
  return typeof choice === 'object' ? { name: choice.function.name } : choice
}

/**
 * Refuses a choice that no tool can satisfy.
 *
 * @throws ApiError 400
 */
export function checkToolChoice(choice: ToolChoice | undefined, tools: readonly Tool[]): void {
  if (choice === 'required' && tools.length === 0) {
    throw invalid('tool_choice', "Invalid 'tool_choice': 'required' needs tools; send 'tools'.", 'invalid_value')
  }
  if (typeof choice === 'object' && !tools.some((tool) => tool.name === choice.name)) {
    throw invalid('tool_choice', `Invalid 'tool_choice': no tool is called '${choice.name}'.`, 'invalid_value')
  }
}

/** Returns undefined for `text`, because that format needs no constraint. `json_object` allows any object. */
export function toResponseFormat(format: FormatRequest | undefined): ResponseFormat | undefined {
  if (format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json_object' }
  return toSchemaFormat(format.json_schema.schema, 'response_format.json_schema.schema')
}

/** @throws ApiError 400 that names the keyword that the nodes cannot enforce */
export function toSchemaFormat(json: Record<string, unknown> | undefined, path: string): ResponseFormat {
  if (json === undefined) return { type: 'json_object' }
  check(json, path, {})
  return { type: 'json_schema', schema: json }
}

function check(json: Record<string, unknown>, path: string, options: { lenient?: boolean }): void {
  const issue = checkSchema(json, options)
  if (issue === undefined) return
  const { keyword, reason } = issue
  throw unsupported(path, `Invalid schema in '${path}': at ${issue.path}, '${keyword}' ${reason}.`)
}
