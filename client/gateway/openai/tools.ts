/** Converts OpenAI's tools, tool choice and response format to the network's. */
import { checkSchema, type ResponseFormat, type Tool, type ToolChoice } from '@potluck/protocol'
import { z } from 'zod'

import { invalid, unsupported } from '../errors.ts'
import { defined, optional, type Fields } from '../validate.ts'

export const toolName: z.ZodString = z
  .string()
  .regex(/^[\w.-]{1,64}$/, "must be letters, digits, '_', '-' or '.', at most 64")
const schema = z.record(z.string(), z.unknown())

/** A function that the model may call. Chat completions nest it under `function`, responses do not. */
export interface FunctionRequest {
  name: string
  description: string | undefined
  parameters: Record<string, unknown> | undefined
  strict: boolean | undefined
}

export const functionFields: Fields<FunctionRequest> = {
  name: toolName,
  description: optional(z.string()),
  parameters: optional(schema),
  strict: optional(z.boolean())
}

export type ToolChoiceRequest =
  | 'none'
  | 'auto'
  | 'required'
  | { type: 'function'; function: { name: string } }
  | { type: 'allowed_tools'; allowed_tools: { mode: 'auto' | 'required'; tools: { function: { name: string } }[] } }

/** A schema and its name. Chat completions and responses have the same fields. */
export interface SchemaRequest {
  name: string
  description: string | undefined
  strict: boolean | undefined
  schema: Record<string, unknown> | undefined
}

export const schemaFields: Fields<SchemaRequest> = {
  name: toolName,
  description: optional(z.string()),
  strict: optional(z.boolean()),
  schema: optional(schema)
}

export type FormatRequest =
  | { type: 'text' }
  // llama.cpp's server takes a schema with `json_object`.
  | { type: 'json_object'; schema: Record<string, unknown> | undefined }
  | { type: 'json_schema'; json_schema: SchemaRequest }

export const toolsField: z.ZodType<{ function: FunctionRequest }[] | undefined> = optional(
  z.array(z.looseObject({ type: z.literal('function'), function: z.looseObject(functionFields) }))
)

const namedTool = z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: toolName }) })

export const toolChoiceField: z.ZodType<ToolChoiceRequest | undefined> = optional(
  z.union([
    z.enum(['none', 'auto', 'required']),
    namedTool,
    z.looseObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.looseObject({ mode: z.enum(['auto', 'required']), tools: z.array(namedTool) })
    })
  ])
)

export const responseFormatField: z.ZodType<FormatRequest | undefined> = optional(
  z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object'), schema: optional(schema) }),
    z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject(schemaFields) })
  ])
)

/** @param path path of the function in the request, for error messages */
export function toTool({ name: called, description, parameters, strict }: FunctionRequest, path: string): Tool {
  if (parameters !== undefined) check(parameters, `${path}.parameters`, { lenient: strict !== true })
  return { name: called, ...defined({ description, parameters, strict }) }
}

/** The fields of a request that the tools and the choice between them become. */
export interface OfferedTools {
  tools?: Tool[]
  toolChoice?: ToolChoice
}

/** @throws ApiError 400 for a choice that no tool can satisfy */
export function toOfferedTools(tools: readonly Tool[], choice: ToolChoiceRequest | undefined): OfferedTools {
  if (typeof choice !== 'object') return offered(tools, choice)
  if (choice.type === 'function') return offered(tools, { name: choice.function.name })
  const { mode, tools: allowed } = choice.allowed_tools
  return offered(
    allowedTools(
      tools,
      allowed.map(({ function: { name } }) => name)
    ),
    mode
  )
}

/**
 * Returns the tools with these names.
 *
 * @throws ApiError 400 for a name that no tool has
 */
export function allowedTools(tools: readonly Tool[], names: readonly string[]): Tool[] {
  const unknown = names.find((name) => !tools.some((tool) => tool.name === name))
  if (unknown !== undefined) throw noSuchTool(unknown)
  return tools.filter(({ name }) => names.includes(name))
}

/** @throws ApiError 400 for a choice that no tool can satisfy */
export function offered(tools: readonly Tool[], toolChoice: ToolChoice | undefined): OfferedTools {
  if (toolChoice === 'required' && tools.length === 0) {
    throw invalid('tool_choice', "Invalid 'tool_choice': 'required' needs tools; send 'tools'.", 'invalid_value')
  }
  if (typeof toolChoice === 'object' && !tools.some(({ name }) => name === toolChoice.name)) {
    throw noSuchTool(toolChoice.name)
  }
  return tools.length === 0 ? {} : { tools: [...tools], ...defined({ toolChoice }) }
}

function noSuchTool(name: string): Error {
  return invalid('tool_choice', `Invalid 'tool_choice': no tool is called '${name}'.`, 'invalid_value')
}

/** Returns undefined for `text`, because that format needs no constraint. `json_object` allows any object. */
export function toResponseFormat(format: FormatRequest | undefined): ResponseFormat | undefined {
  if (format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return toSchemaFormat(format.schema, 'response_format.schema')
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
