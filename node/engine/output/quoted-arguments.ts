/**
 * The grammar of arguments as an object with quote marks of its own, as in `find{city:<|"|>Oslo<|"|>,days:3}`. A string
 * has no escapes, so no escape can end it early. As with arguments between tags, of a string's schema only `enum` and
 * `const` are enforced.
 */
import {
  Alternation,
  compilePattern,
  compileSchema,
  Concatenation,
  FreeText,
  Literal,
  Members,
  Repeat,
  type GrammarNode,
  type JsonSchema,
  type Tool
} from '@potluck/protocol'
import type { QuotedCalls } from './chat-format.ts'
import { resolved, type ObjectSchema } from './tagged-arguments.ts'

/** Levels of schemas within the arguments. Below them, any value is allowed. */
const MAX_DEPTH = 8
/** Levels of a value without a schema. */
const MAX_FREE_DEPTH = 3

const COMMA = new Literal(',')
const COLON = new Literal(':')
/** A key that the schema does not name. */
const FREE_KEY = compilePattern('[A-Za-z0-9_.-]{1,64}')
const OTHERS = ['number', 'boolean', 'null'].map((type) => compileSchema({ type }))
const TYPES = ['string', 'number', 'boolean', 'null', 'array', 'object']

export function quotedCall(tool: Tool, { quote }: QuotedCalls): GrammarNode {
  const root = typeof tool.parameters === 'object' ? tool.parameters : {}
  return new Concatenation(new Literal(tool.name), new QuotedSchemas(root, quote).object(root, 0))
}

class QuotedSchemas {
  readonly #root: ObjectSchema
  readonly #quote: string
  readonly #text: GrammarNode
  readonly #free: GrammarNode[] = []
  /** A schema that refers to itself would otherwise be compiled once for each path to it. */
  readonly #known = new Map<unknown, GrammarNode[]>()

  constructor(root: ObjectSchema, quote: string) {
    this.#root = root
    this.#quote = quote
    this.#text = new Concatenation(new Literal(quote), new FreeText('until', quote))
  }

  /** The members come in the order of their keys, because the template sorts them. */
  object({ properties, additionalProperties, required = [] }: ObjectSchema, depth: number): GrammarNode {
    const declared = Object.entries((properties ?? {}) as Record<string, JsonSchema>)
    const members = declared
      .sort(([one], [other]) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1))
      .map(([key, schema]) => ({
        entry: new Concatenation(new Literal(key), COLON, this.#value(schema, depth + 1)),
        required: Array.isArray(required) && required.includes(key)
      }))
    const open = additionalProperties === undefined ? declared.length === 0 : additionalProperties !== false
    const other = open
      ? new Concatenation(FREE_KEY, COLON, this.#value((additionalProperties ?? true) as JsonSchema, depth + 1))
      : undefined
    return new Concatenation(new Literal('{'), new Members(members, other, COMMA), new Literal('}'))
  }

  #value(schema: JsonSchema, depth: number): GrammarNode {
    const target = resolved(schema, this.#root)
    if (typeof target === 'boolean' || depth >= MAX_DEPTH) return this.#anything(MAX_FREE_DEPTH)
    const known = this.#known.get(target) ?? []
    this.#known.set(target, known)
    return (known[depth] ??= this.#compile(target, depth))
  }

  #compile(schema: ObjectSchema, depth: number): GrammarNode {
    const { enum: listed, const: only, anyOf, oneOf, type } = schema
    if (Array.isArray(listed)) return new Alternation(...listed.map((value) => new Literal(this.#written(value))))
    if (only !== undefined) return new Literal(this.#written(only))
    const either = [anyOf, oneOf].find((list) => Array.isArray(list)) as JsonSchema[] | undefined
    if (either !== undefined) return new Alternation(...either.map((one) => this.#value(one, depth + 1)))
    const types = type === undefined ? impliedTypes(schema) : [type].flat()
    return new Alternation(...types.map((one) => this.#ofType(one, schema, depth)))
  }

  #ofType(type: unknown, schema: ObjectSchema, depth: number): GrammarNode {
    if (type === 'string') return this.#text
    if (type === 'object') return this.object(schema, depth)
    if (type !== 'array') return compileSchema({ ...schema, type: type as string }, { lenient: true })
    const item = this.#value((schema.items ?? true) as JsonSchema, depth + 1)
    const { minItems = 0, maxItems = Infinity } = schema as { minItems?: number; maxItems?: number }
    return new Concatenation(new Literal('['), new Repeat(item, COMMA, minItems, maxItems), new Literal(']'))
  }

  #anything(depth: number): GrammarNode {
    const known = this.#free[depth]
    if (known !== undefined) return known
    const nested =
      depth === 0
        ? []
        : [
            new Concatenation(
              new Literal('['),
              new Repeat(this.#anything(depth - 1), COMMA, 0, Infinity),
              new Literal(']')
            ),
            new Concatenation(
              new Literal('{'),
              new Members([], new Concatenation(FREE_KEY, COLON, this.#anything(depth - 1)), COMMA),
              new Literal('}')
            )
          ]
    return (this.#free[depth] = new Alternation(this.#text, ...OTHERS, ...nested))
  }

  #written(value: unknown): string {
    if (typeof value === 'string') return `${this.#quote}${value}${this.#quote}`
    if (Array.isArray(value)) return `[${value.map((item) => this.#written(item)).join()}]`
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    const members = Object.entries(value).map(([key, item]) => `${key}:${this.#written(item)}`)
    return `{${members.sort().join()}}`
  }
}

function impliedTypes({ properties, items }: ObjectSchema): readonly string[] {
  if (properties !== undefined) return ['object']
  return items === undefined ? TYPES : ['array']
}
