/** The messages that open a relayed connection: bounded, in pieces of any size. A fake stream decides the pieces. */
import { StreamMessageEvent, type Stream } from '@libp2p/interface'
import { boundedMessages } from '@potluck/protocol'
import { Uint8ArrayList } from 'uint8arraylist'
import { encode as encodeVarint } from 'uint8-varint'
import { expect, test } from 'vitest'

const STOP = '/libp2p/circuit/relay/0.2.0/stop'

/** Returns the pieces that reach libp2p, and whether the stream was reset. */
async function deliver(pieces: readonly Uint8ArrayList[]): Promise<{ passed: number; reset: boolean }> {
  let passed = 0
  let reset = false
  const stream = {
    direction: 'outbound',
    dispatchEvent: () => {
      passed++
      return true
    },
    abort: () => {
      reset = true
    }
  }
  const registrar: Parameters<typeof boundedMessages>[0]['registrar'] = { getMiddleware: () => [] }
  boundedMessages({ registrar })
  const [bound] = registrar.getMiddleware(STOP)
  await bound?.(stream as unknown as Stream, undefined as never, () => undefined)
  for (const piece of pieces) (stream.dispatchEvent as (event: Event) => boolean)(new StreamMessageEvent(piece))
  return { passed, reset }
}

const bytes = (...values: number[]): Uint8ArrayList => new Uint8ArrayList(Uint8Array.from(values))

test('a piece of one byte passes, before and after the message that opens the connection', async () => {
  expect(await deliver([bytes(2), bytes(8), bytes(1), bytes(7), bytes(7, 7)])).toEqual({ passed: 5, reset: false })
})

test('a message that is too long is refused before it arrives', async () => {
  expect(await deliver([new Uint8ArrayList(encodeVarint(1_000_000))])).toEqual({ passed: 0, reset: true })
})
