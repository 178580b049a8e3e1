import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerText } from '../../../node/engine/answer/text.ts'
import { pieceOf } from '../../../node/engine/vocabulary.ts'

/** Cuts the bytes at these places and pushes the pieces. Returns the text of each push and of the end. */
function feed(bytes: Uint8Array, cuts: readonly number[], stops: readonly string[] = []): string[] {
  const text = new AnswerText(stops)
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  const given = places.slice(1).map((end, index) => text.push(pieceOf(bytes.slice(places[index], end))))
  return [...given, text.finish()]
}

const cuts = fc.array(fc.nat(), { maxLength: 40 })
const unicode = fc.string({ unit: 'binary', maxLength: 60 })

describe('the text of an answer', () => {
  it('does not depend on where tokens cut the bytes, and has whole characters only', () => {
    fc.assert(
      fc.property(unicode, cuts, (whole, places) => {
        const given = feed(Buffer.from(whole), places)
        expect(given.join('')).toBe(whole)
        for (const text of given) expect(text.isWellFormed()).toBe(true)
      }),
      { numRuns: 2000 }
    )
  })

  it('is what a UTF-8 decoder returns, also for bytes that are not UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), cuts, (bytes, places) => {
        expect(feed(bytes, places).join('')).toBe(Buffer.from(bytes).toString())
      }),
      { numRuns: 2000 }
    )
  })

  it('ends before the first stop sequence, and never contains a part of one', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 30 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'é'), minLength: 1, maxLength: 5 }), {
      maxLength: 3
    })
    fc.assert(
      fc.property(letters, stops, (whole, sequences) => {
        const bytes = Buffer.from(whole)
        // One byte in each token. Longer tokens could complete a later stop sequence first.
        const given = feed(
          bytes,
          Array.from(bytes, (_, index) => index),
          sequences
        )
        const firstEnd = Math.min(...sequences.map((stop) => endOf(whole, stop)))
        const found = sequences.filter((stop) => endOf(whole, stop) === firstEnd)
        const expected = firstEnd === Infinity ? whole : whole.slice(0, firstEnd - longest(found))
        expect(given.join('')).toBe(expected)
      }),
      { numRuns: 2000 }
    )
  })

  it('keeps a byte order mark, and nothing follows a stop sequence', () => {
    expect(feed(Buffer.from('\uFEFFa'), [])).toEqual(['\uFEFFa', ''])
    const text = new AnswerText(['.'])
    expect(text.push(pieceOf(Buffer.from('a.b')))).toBe('a')
    expect(text.stopped).toBe(true)
    expect(text.push(pieceOf(Buffer.from('c'))) + text.finish()).toBe('')
  })
})

function endOf(whole: string, stop: string): number {
  const index = whole.indexOf(stop)
  return index < 0 ? Infinity : index + stop.length
}

const longest = (stops: readonly string[]): number => Math.max(...stops.map(({ length }) => length))
