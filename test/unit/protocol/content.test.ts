import { ContentDigest, LogprobsDigest, type AnswerContent, type PositionLogprobs } from '@potluck/protocol'
import fc from 'fast-check'
import { toHex } from 'multiformats/bytes'
import { describe, expect, test } from 'vitest'

function digestOf(...pieces: AnswerContent[]): string {
  const digest = new ContentDigest()
  for (const piece of pieces) digest.add(piece)
  return toHex(digest.digest())
}

const WHOLE: Required<AnswerContent> = {
  text: 'Grüße, 世界 😀.',
  reasoning: 'Hm.',
  toolCalls: [
    { index: 0, id: 'call_1', name: 'find', arguments: '{"what": "é"}' },
    { index: 1, id: 'call_2', name: 'wait', arguments: '{}' }
  ]
}

describe('the digest of content', () => {
  test('is that of version 1', () => {
    expect(digestOf()).toMatchInlineSnapshot(`"1a03c02fb531d7e1ce353b2f20711c79af2b66730d6de865fb130734973ccd2c"`)
    expect(digestOf(WHOLE)).toMatchInlineSnapshot(`"a0d8f00f9f5f60cee8f815bdf0184e2df439749bdc849fdac575085158637bf6"`)
  })

  test('does not depend on how the node cuts the answer', () => {
    const parts = ({ text, reasoning }: Required<AnswerContent>): AnswerContent[] => [
      ...Array.from(reasoning, (character) => ({ text: '', reasoning: character })),
      ...Array.from(text, (character) => ({ text: character })),
      ...WHOLE.toolCalls.flatMap(({ arguments: json, ...begin }) => [
        { text: '', toolCalls: [{ ...begin, arguments: '' }] },
        ...Array.from(json, (character) => ({ text: '', toolCalls: [{ index: begin.index, arguments: character }] }))
      ])
    ]
    expect(digestOf(...parts(WHOLE))).toBe(digestOf(WHOLE))
  })

  test('differs for any other content', () => {
    const [first, second] = WHOLE.toolCalls
    const others: AnswerContent[] = [
      { ...WHOLE, text: `${WHOLE.text} ` },
      { ...WHOLE, text: WHOLE.reasoning, reasoning: WHOLE.text },
      { ...WHOLE, toolCalls: [first!] },
      { ...WHOLE, toolCalls: [first!, { ...second!, index: 2 }] },
      { ...WHOLE, toolCalls: [{ ...first!, id: 'find', name: 'call_1' }, second!] },
      {
        ...WHOLE,
        toolCalls: [
          { ...first!, arguments: '' },
          { ...second!, arguments: first!.arguments + '{}' }
        ]
      }
    ]
    expect(new Set([WHOLE, ...others].map((content) => digestOf(content))).size).toBe(others.length + 1)
  })

  test('exists before the end too', () => {
    const digest = new ContentDigest()
    digest.add({ text: 'a', toolCalls: [WHOLE.toolCalls[0]!] })
    expect(toHex(digest.digest())).toBe(digestOf({ text: 'a', toolCalls: [WHOLE.toolCalls[0]!] }))
    digest.add({ text: 'b', toolCalls: [{ index: 0, arguments: '!' }] })
    const call = { ...WHOLE.toolCalls[0]!, arguments: `${WHOLE.toolCalls[0]!.arguments}!` }
    expect(toHex(digest.digest())).toBe(digestOf({ text: 'ab', toolCalls: [call] }))
  })

  test.each([
    ['a second beginning of a call', [{ index: 0, id: 'call_3', name: 'pay', arguments: '' }]],
    ['a piece of an earlier call', [WHOLE.toolCalls[1]!, { index: 0, arguments: '!' }]]
  ])('refuses %s, which a reader of the stream could understand otherwise', (_, toolCalls) => {
    expect(() => digestOf({ text: '', toolCalls: [WHOLE.toolCalls[0]!, ...toolCalls] })).toThrow('tool_calls')
  })

  test('of a continuation can begin within a call', () => {
    expect(digestOf({ text: '', toolCalls: [{ index: 3, arguments: '}' }] })).not.toBe(digestOf())
  })
})

describe('the digest of log-probabilities', () => {
  const entry = fc.record({
    token: fc.nat(1000),
    logprob: fc.double({ min: -100, max: 0, noNaN: true }),
    bytes: fc.uint8Array({ maxLength: 4 })
  })
  const positions = fc.array(fc.record({ chosen: entry, top: fc.array(entry, { maxLength: 3 }) }), { maxLength: 5 })
  const of = (...pieces: PositionLogprobs[][]): string => {
    const digest = new LogprobsDigest()
    for (const piece of pieces) digest.add(piece)
    return toHex(digest.digest())
  }

  test('is that of version 1', () => {
    const chosen = { token: 300, logprob: -0.5, bytes: Uint8Array.of(0xc3, 0xa9) }
    expect(of([{ chosen, top: [chosen, { ...chosen, token: 1, logprob: -2 }] }])).toMatchInlineSnapshot(
      `"410fec445b83fc4575568db7f95429b6c920fe2c579907a1e9b9201dc90fa924"`
    )
  })

  test('depends on every value, and not on the pieces', () => {
    fc.assert(
      fc.property(positions, positions, (a, b) => {
        expect(of(a, b)).toBe(of([...a, ...b]))
        if (JSON.stringify(a) !== JSON.stringify(b)) expect(of(a)).not.toBe(of(b))
      })
    )
  })
})
