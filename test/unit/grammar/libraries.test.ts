/** The schemas that pydantic and zod make for the types that they document. */
import { readFileSync } from 'node:fs'

import { checkSchema, type JsonSchema } from '@potluck/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'

interface Fixture {
  made_by: string
  schemas: Record<string, JsonSchema>
}

/** `pydantic-schemas.py` writes it. */
const pydantic = JSON.parse(
  readFileSync(new URL('../../vectors/pydantic-schemas.json', import.meta.url), 'utf8')
) as Fixture

interface Node {
  value: number
  next?: Node | undefined
}
const node: z.ZodType<Node> = z.object({
  value: z.int(),
  get next() {
    return node.optional()
  }
})

const ZOD: Record<string, z.ZodType> = {
  string: z.string(),
  number: z.number(),
  int: z.int(),
  int32: z.int32(),
  boolean: z.boolean(),
  null: z.null(),
  any: z.any(),
  unknown: z.unknown(),
  never: z.never(),
  literal: z.literal(['a', 1]),
  enum: z.enum(['a', 'b']),
  email: z.email(),
  uuid: z.uuid(),
  uuidv4: z.uuidv4(),
  guid: z.guid(),
  url: z.url(),
  httpUrl: z.httpUrl(),
  hostname: z.hostname(),
  emoji: z.emoji(),
  base64: z.base64(),
  base64url: z.base64url(),
  jwt: z.jwt(),
  nanoid: z.nanoid(),
  cuid: z.cuid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  mac: z.mac(),
  cidrv4: z.cidrv4(),
  cidrv6: z.cidrv6(),
  hash: z.hash('sha256'),
  e164: z.e164(),
  'iso.date': z.iso.date(),
  'iso.time': z.iso.time(),
  'iso.datetime': z.iso.datetime(),
  'iso.datetime with offset': z.iso.datetime({ offset: true }),
  'iso.duration': z.iso.duration(),
  regex: z.string().regex(/^[a-z]+$/),
  length: z.string().min(1).max(5),
  startsWith: z.string().startsWith('ab'),
  endsWith: z.string().endsWith('c'),
  includes: z.string().includes('x'),
  'startsWith and endsWith': z.string().startsWith('a').endsWith('z'),
  uppercase: z.string().uppercase(),
  lowercase: z.string().lowercase(),
  positive: z.number().positive(),
  between: z.number().gt(0).lt(1),
  multipleOf: z.number().multipleOf(5),
  object: z.object({ a: z.string(), b: z.number().optional() }),
  strictObject: z.strictObject({ a: z.string() }),
  looseObject: z.looseObject({ a: z.string() }),
  catchall: z.object({ a: z.string() }).catchall(z.int()),
  recursive: node,
  array: z.array(z.string()).min(1).max(3),
  tuple: z.tuple([z.string(), z.int()]),
  'tuple with a rest': z.tuple([z.string()], z.int()),
  'tuple with an optional item': z.tuple([z.string(), z.int().optional()]),
  record: z.record(z.string(), z.int()),
  'record by enum': z.record(z.enum(['a', 'b']), z.int()),
  'record by uuid': z.record(z.uuid(), z.int()),
  partialRecord: z.partialRecord(z.enum(['a', 'b']), z.int()),
  union: z.union([z.string(), z.int()]),
  discriminatedUnion: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a') }),
    z.object({ kind: z.literal('b'), n: z.int() })
  ]),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
  nullable: z.nullable(z.string()),
  default: z.object({ a: z.string().default('x') }),
  readonly: z.array(z.int()).readonly(),
  templateLiteral: z.templateLiteral(['a-', z.int()]),
  json: z.json(),
  stringbool: z.stringbool(),
  file: z.file()
}

/** The schemas that are refused, with the keyword that the error names. */
function refused(schemas: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(schemas).flatMap(([name, schema]) => {
      const issue = checkSchema(schema)
      return issue === undefined ? [] : [[name, issue.keyword]]
    })
  )
}

test(`of ${Object.keys(pydantic.schemas).length} schemas of ${pydantic.made_by}, few are refused, each by its keyword`, () => {
  expect(refused(pydantic.schemas)).toEqual({
    set: 'uniqueItems',
    'set[int]': 'uniqueItems',
    'set[str]': 'uniqueItems',
    'set[date]': 'uniqueItems',
    'frozenset[str]': 'uniqueItems',
    conset: 'uniqueItems',
    'dict with a length': 'minProperties',
    'pattern with a boundary': 'pattern'
  })
})

test(`of ${Object.keys(ZOD).length} schemas of zod, few are refused, each by its keyword`, () => {
  const schemas = Object.fromEntries(Object.entries(ZOD).map(([name, type]) => [name, z.toJSONSchema(type)]))
  expect(refused(schemas)).toEqual({
    never: 'not',
    hostname: 'pattern',
    emoji: 'pattern',
    'iso.duration': 'pattern'
  })
})
