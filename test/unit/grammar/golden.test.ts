/** The bytes that grammars allow after given texts. If a result changes, the sampling contract has changed. */
import { begin, compileSchema, step, type JsonSchema, type Ways } from '@potluck/protocol'
import { expect, test } from 'vitest'

const CASES: readonly [JsonSchema, readonly string[]][] = [
  [true, ['', '-', '0', '1.', '"', '"\\', '"\\u', '"\\ud', '[', '{', '{"', 'tr']],
  [{ type: 'object' }, ['', '{', '{"a":', '{"a":1', '{"a":1,']],
  [{ type: 'string', minLength: 1, maxLength: 2 }, ['"', '"a', '"aé']],
  [{ type: 'integer', minimum: -12, maximum: 105 }, ['', '-', '-1', '0', '1', '10', '11']],
  [{ type: 'number', exclusiveMinimum: 0.5, maximum: 0.75 }, ['', '0.', '0.5', '0.50', '0.75', '0.7500000']],
  [{ type: 'number' }, ['123456789', '1234567890', '12345678901234', '0.12345', '0.123456']],
  [{ type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 2 }, ['[', '[null', '[null,', '[null,null']],
  [
    { type: 'object', properties: { a: { const: 1 }, b: { enum: ['x', 2] }, ä: true }, required: ['b'] },
    ['{', '{"', '{"a":1', '{"a":1, "b":', '{"b":2', '{"b":"x","']
  ],
  [
    { type: 'object', properties: { ab: true }, additionalProperties: { type: 'boolean' } },
    ['{"', '{"a', '{"ab', '{"abc']
  ],
  [{ type: 'string', pattern: '^[a-cé]+\\d{2}$', maxLength: 4 }, ['"', '"a', '"é', '"ab', '"ab1', '"ab12']],
  [{ type: 'string', format: 'date' }, ['"', '"2024-0', '"2024-02-', '"2024-02-2', '"2023-02-2']],
  [{ type: 'integer', multipleOf: 30, minimum: 1, maximum: 100 }, ['', '3', '30', '9']],
  [{ type: 'array', prefixItems: [{ const: 1 }, true], minItems: 1 }, ['[', '[1', '[1,true']],
  [{ type: 'array', uniqueItems: true, items: { enum: [1, 2, 3] }, minItems: 2 }, ['[', '[1', '[2,3']],
  [{ type: 'object', patternProperties: { '^x': true } }, ['{', '{"', '{"x', '{"x":1']]
]

function after(schema: JsonSchema, text: string): Ways | undefined {
  let state: Ways | undefined = begin(compileSchema(schema))
  for (const byte of new TextEncoder().encode(text)) state = state && step(state, byte)
  return state
}

/** Returns the allowed bytes as hexadecimal ranges, and a dot if the document can end. */
function described(state: Ways | undefined): string {
  if (state === undefined) return 'impossible'
  const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => step(state, byte) !== undefined)
  const first = bytes.filter((byte) => !bytes.includes(byte - 1))
  const last = bytes.filter((byte) => !bytes.includes(byte + 1))
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
  const ranges = first.map((byte, index) => (byte === last[index] ? hex(byte) : `${hex(byte)}-${hex(last[index]!)}`))
  return [...ranges, ...(state.mayEnd ? ['.'] : [])].join(' ')
}

test('grammars of contract 1 allow the same bytes as before', async () => {
  const lines = CASES.flatMap(([schema, texts]) => [
    JSON.stringify(schema),
    ...texts.map((text) => `  ${JSON.stringify(text)}: ${described(after(schema, text))}`)
  ])
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('../../vectors/grammar-1.txt')
})
