/** Tools, the choice among them, and the form of the text, as OpenAI writes them and as the network takes them. */
import type { ResponseFormat, Tool, ToolChoice } from '@potluck/protocol'
import { z } from 'zod'

import { optional } from './validate.ts'

const name = z.string().regex(/^[\w.-]{1,64}$/, "must be letters, digits, '_', '-' or '.', at most 64")
const schema = z.record(z.string(), z.unknown())

/** A function, as it stands in chat completions under `function`, and in responses by itself. */
export const functionFields = {
  name,
  description: optional(z.string()),
  parameters: optional(schema),
  strict: optional(z.boolean())
}

export const toolsField = optional(
  z.array(z.looseObject({ type: z.literal('function'), function: z.looseObject(functionFields) }))
)

export const toolChoiceField = optional(
  z.union([
    z.enum(['none', 'auto', 'required']),
    z.looseObject({ type: z.literal('function'), function: z.looseObject({ name }) })
  ])
)

/** A schema with its name, as both endpoints have it. */
export const namedSchemaFields = {
  name,
  description: optional(z.string()),
  schema: optional(schema),
  strict: optional(z.boolean())
}

export const responseFormatField = optional(
  z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('text') }),
    z.looseObject({ type: z.literal('json_object') }),
    z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject(namedSchemaFields) })
  ])
)

interface FunctionRequest {
  name: string
  description?: string | undefined
  parameters?: Record<string, unknown> | undefined
  strict?: boolean | undefined
}

export function toTool({ name: called, description, parameters, strict }: FunctionRequest): Tool {
  return {
    name: called,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict })
  }
}

export function toToolChoice(choice: z.output<typeof toolChoiceField>): ToolChoice | undefined {
  return typeof choice === 'object' ? { name: choice.function.name } : choice
}

/** `text` is what an answer is anyway; a format without a schema allows any object. */
export function toResponseFormat(format: z.output<typeof responseFormatField>): ResponseFormat | undefined {
  if (format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object' || format.json_schema.schema === undefined) return { type: 'json_object' }
  return { type: 'json_schema', schema: format.json_schema.schema }
}
