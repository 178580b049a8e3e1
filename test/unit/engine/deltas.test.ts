import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TokenDelta } from '@potluck/protocol'
import type { Step } from '../../../node/engine/answer/answer.ts'
import { Deltas } from '../../../node/engine/answer/deltas.ts'
import { DELTA_INTERVAL_MS } from '../../../node/engine/constants.ts'

describe('deltas', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function collector(): { deltas: Deltas; sent: TokenDelta[] } {
    const sent: TokenDelta[] = []
    return {
      deltas: new Deltas(
        (delta) => sent.push(delta),
        () => performance.now()
      ),
      sent
    }
  }

  const step = (token: number, text = ''): Step => ({
    token,
    fingerprint: Uint8Array.of(token, 0, 0, 0, 0, 0),
    text,
    reasoning: '',
    calls: []
  })

  it('contain the first token immediately, and later tokens together', () => {
    const { deltas, sent } = collector()
    deltas.push(step(1, 'a'))
    expect(sent).toEqual([{ tokens: [1], text: 'a' }])
    deltas.push(step(2, 'b'))
    deltas.push(step(3, 'c'))
    expect(sent).toHaveLength(1)
    // The collected tokens are sent even if no other token follows.
    vi.advanceTimersByTime(DELTA_INTERVAL_MS)
    expect(sent[1]).toEqual({ tokens: [2, 3], text: 'bc' })
  })

  it('contain one token each in a slow generation', () => {
    const { deltas, sent } = collector()
    for (let token = 0; token < 5; token++) {
      deltas.push(step(token))
      vi.advanceTimersByTime(DELTA_INTERVAL_MS + 1)
    }
    expect(sent.map(({ tokens }) => tokens)).toEqual([[0], [1], [2], [3], [4]])
  })

  it('contain the rest at the end, and nothing after a discard', () => {
    const { deltas, sent } = collector()
    for (const token of [1, 2]) deltas.push(step(token))
    deltas.flush()
    deltas.flush()
    expect(sent).toHaveLength(2)
    deltas.push(step(3, ''))
    deltas.discard()
    vi.advanceTimersByTime(10 * DELTA_INTERVAL_MS)
    expect(sent).toHaveLength(2)
  })
})
