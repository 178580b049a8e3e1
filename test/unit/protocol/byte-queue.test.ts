import fc from 'fast-check'
import { expect, test } from 'vitest'

import { ByteQueue } from '../../../protocol/transport/byte-queue.ts'

test('gives the bytes back in the order in which they arrived', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('append' as const), bytes: fc.uint8Array({ maxLength: 3_000 }) }),
    fc.record({ type: fc.constant('take' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue()
      let expected: number[] = []
      for (const one of steps) {
        if (one.type === 'append') {
          queue.append([one.bytes.subarray(0, 7), one.bytes.subarray(7)])
          expected.push(...one.bytes)
        } else {
          const length = Math.floor(one.share * expected.length)
          expect([...queue.take(length)]).toEqual(expected.slice(0, length))
          expected = expected.slice(length)
        }
        expect(queue.byteLength).toBe(expected.length)
        expect([queue.at(0), queue.at(expected.length - 1), queue.at(expected.length)]).toEqual([
          expected[0],
          expected.at(-1),
          undefined
        ])
      }
    })
  )
})

test('takes a frame that came in a million pieces of one byte', () => {
  const queue = new ByteQueue()
  for (let index = 0; index < 1_000_000; index++) queue.append([Uint8Array.of(index & 0xff)])
  const taken = queue.take(999_999)
  expect([taken[0], taken[999_998], queue.at(0)]).toEqual([0, 999_998 & 0xff, 999_999 & 0xff])
})
