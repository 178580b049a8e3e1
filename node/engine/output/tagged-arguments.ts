/**
 * Arguments between tags, as in `<arg_key>city</arg_key><arg_value>Oslo</arg_value>`. A value without quotes is a
 * string or JSON, and only the tool's schema says which. So the grammar and the parser read the schema the same way.
 */
import {
  Alternation,
  compilePattern,
  compileSchema,
  Concatenation,
  FreeText,
  Literal,
  Repeat,
  type GrammarNode,
  type JsonSchema,
  type Tool
} from '@potluck/protocol'
import type { OtherType, TaggedCalls } from './chat-format.ts'

/** The most arguments that a tool without declared properties gets. */
const MAX_FREE_ARGUMENTS = 32

export type ObjectSchema = Exclude<JsonSchema, boolean>

/**
 * Returns the grammar of one call: the name and then the arguments, in the order of the schema. A tool whose schema
 * declares no properties can get any keys, with strings as values. Of a string's schema only `enum` and `const` are
 * enforced.
 */
export function taggedCall(tool: Tool, format: TaggedCalls): GrammarNode {
  const { beforeKey, afterKey, afterValue } = format
  const argument = (key: GrammarNode, value: GrammarNode, mark: GrammarNode = new Literal(afterKey)): GrammarNode =>
    new Concatenation(new Literal(beforeKey), key, mark, value)
  const text = new FreeText('until', afterValue)
  const properties = Object.entries(propertiesOf(tool))
  const root = schemaOf(tool)
  const values = properties.map(([key, property]) => {
    const one = argument(
      new Literal(key),
      valueOf(property, root, tool, text, afterValue),
      markOf(property, root, format)
    )
    return required(root).includes(key) ? one : new Alternation(one, new Concatenation())
  })
  const open = properties.length === 0 && root.additionalProperties !== false
  const free = argument(compilePattern('[A-Za-z0-9_.-]{1,64}'), text)
  return new Concatenation(
    new Literal(tool.name),
    ...(format.afterName === '' ? [] : [new Literal(format.afterName)]),
    ...(open ? [new Repeat(free, new Concatenation(), 0, MAX_FREE_ARGUMENTS)] : values)
  )
}

/** Whether the argument is a string. If a schema allows strings and other values, the value is a string. */
export function isTextArgument(tool: Tool | undefined, key: string): boolean {
  const property = tool === undefined ? undefined : propertiesOf(tool)[key]
  return property === undefined || allowsText(property, schemaOf(tool!))
}

/** Returns the marks after a key whose value has the types of the schema. */
function markOf(property: JsonSchema, root: ObjectSchema, { afterKey, afterOtherKey }: TaggedCalls): GrammarNode {
  if (afterOtherKey === undefined || allowsText(property, root)) return new Literal(afterKey)
  const { type } = resolved(property, root) as ObjectSchema
  const types = [type].flat().map((one) => (one === 'integer' ? 'number' : one) as OtherType)
  const marks = types.flatMap((one) => afterOtherKey[one] ?? Object.values(afterOtherKey))
  return new Alternation(...[...new Set(marks)].map((mark) => new Literal(mark)))
}

function valueOf(
  property: JsonSchema,
  root: ObjectSchema,
  { strict = false }: Tool,
  text: GrammarNode,
  afterValue: string
): GrammarNode {
  const ended = (value: GrammarNode): GrammarNode => new Concatenation(value, new Literal(afterValue))
  if (!allowsText(property, root)) {
    const whole =
      typeof property === 'object' && root.$defs !== undefined ? { $defs: root.$defs, ...property } : property
    return ended(compileSchema(whole, { lenient: !strict }))
  }
  const { enum: listed, const: only } = resolved(property, root) as ObjectSchema
  const values = Array.isArray(listed) ? (listed as unknown[]) : only === undefined ? [] : [only]
  const texts = values.filter((value) => typeof value === 'string' && value !== '') as string[]
  return texts.length > 0 && texts.length === values.length
    ? ended(new Alternation(...texts.map((value) => new Literal(value))))
    : text
}

function allowsText(schema: JsonSchema, root: ObjectSchema): boolean {
  const target = resolved(schema, root)
  if (typeof target === 'boolean') return target
  const { type, enum: listed, const: only, anyOf, oneOf, $ref, properties, items } = target
  // A definition that refers to another one is rare, and most are objects.
  if ($ref !== undefined) return false
  if (type !== undefined) return type === 'string' || (Array.isArray(type) && type.includes('string'))
  if (Array.isArray(listed)) return listed.some((value) => typeof value === 'string')
  if (only !== undefined) return typeof only === 'string'
  const either = [anyOf, oneOf].find((schemas) => Array.isArray(schemas)) as JsonSchema[] | undefined
  if (either !== undefined) return either.some((one) => allowsText(one, root))
  return properties === undefined && items === undefined
}

/** Returns the definition that the schema refers to, if it does. */
export function resolved(schema: JsonSchema, root: ObjectSchema): JsonSchema {
  if (typeof schema === 'boolean' || typeof schema.$ref !== 'string') return schema
  const definitions = root.$defs as Record<string, JsonSchema> | undefined
  return definitions?.[schema.$ref.replace('#/$defs/', '')] ?? schema
}

function schemaOf({ parameters }: Tool): ObjectSchema {
  return typeof parameters === 'object' ? parameters : {}
}

function propertiesOf(tool: Tool): Record<string, JsonSchema> {
  const { properties } = schemaOf(tool)
  return typeof properties === 'object' && properties !== null ? (properties as Record<string, JsonSchema>) : {}
}

function required(schema: ObjectSchema): unknown[] {
  return Array.isArray(schema.required) ? (schema.required as unknown[]) : []
}
