import { encodeCredit, encodeRequest, DEFAULT_SAMPLING, MAX_CREDIT, PotluckError } from '@potluck/protocol'
import { expect, test, vi } from 'vitest'

import { ENGINE_LEAD_TOKENS } from '../../../node/limits/limits.ts'
import { CreditAccount, readCredit } from '../../../node/serve/credit.ts'

/** A stream with these frames. After them it ends, stays silent or fails. */
function stream(frames: Uint8Array[], then: 'end' | 'silence' | PotluckError) {
  return {
    receive: async ({ timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined }) => {
      const frame = frames.shift()
      if (frame !== undefined) return frame
      if (then instanceof PotluckError) throw then
      if (then === 'end') return undefined
      return await new Promise<never>((_resolve, reject) => {
        const timer = setTimeout(() => reject(new PotluckError('caller_stalled', 'silence')), timeoutMs)
        signal?.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(new PotluckError('aborted', 'aborted'))
        })
      })
    }
  }
}

function read(frames: ReturnType<typeof stream>, account: CreditAccount, signal = new AbortController().signal) {
  const granted: number[] = []
  const reading = readCredit(frames, account, () => granted.push(account.lend()), { timeoutMs: 40, signal })
  return { granted, reading }
}

const clock = (): number => performance.now()

test('every credit frame is granted as it arrives', async () => {
  const account = new CreditAccount(1, clock)
  account.lend()
  account.spend(1)
  const cut = new PotluckError('stream_cut', 'reset')
  const { granted, reading } = read(stream([encodeCredit(3), encodeCredit(4)], cut), account)
  await expect(reading).rejects.toBe(cut)
  expect(granted).toEqual([3, 4])
  expect(account.emptyForMs).toBe(0)
})

test.each(['end', 'silence'] as const)(
  'without credit, reading fails with caller_stalled: the stream continues with %s',
  async (then) => {
    const account = new CreditAccount(1, clock)
    account.spend(1)
    await expect(read(stream([], then), account).reading).rejects.toMatchObject({ code: 'caller_stalled' })
  }
)

test.each(['end', 'silence'] as const)(
  'with credit left there is no timeout: the stream continues with %s',
  async (then) => {
    const account = new CreditAccount(1, clock)
    // `readCredit` reads `emptyForMs` once before each wait. So after the third read, two waits have ended without an
    // error.
    const looks = vi.spyOn(account, 'emptyForMs', 'get')
    const answered = new AbortController()
    const { reading } = read(stream([], then), account, answered.signal)
    await vi.waitUntil(() => looks.mock.calls.length >= 3)
    answered.abort()
    await expect(reading).resolves.toBeUndefined()
  }
)

test('more credit than the maximum breaks the protocol', async () => {
  const account = new CreditAccount(1, clock)
  const { granted, reading } = read(stream([encodeCredit(MAX_CREDIT)], 'end'), account)
  await expect(reading).rejects.toMatchObject({ code: 'invalid_request' })
  expect(granted).toEqual([])
})

test('a second request breaks the protocol', async () => {
  const { bytes } = encodeRequest({
    requestId: new Uint8Array(16),
    modelDigest: new Uint8Array(32),
    input: { prompt: 'again' },
    sampling: { ...DEFAULT_SAMPLING, seed: 0n },
    maxTokens: 1,
    stop: [],
    credit: 1,
    commitment: new Uint8Array(32)
  })
  const { reading } = read(stream([bytes], 'end'), new CreditAccount(1, clock))
  await expect(reading).rejects.toMatchObject({ code: 'invalid_request' })
})

test('the engine may compute only a few tokens ahead of the stream, in batches', () => {
  const account = new CreditAccount(MAX_CREDIT, clock)
  expect(account.lend()).toBe(ENGINE_LEAD_TOKENS)
  account.spend(1)
  expect(account.lend()).toBe(0)
  account.spend(ENGINE_LEAD_TOKENS / 2)
  expect(account.lend()).toBe(ENGINE_LEAD_TOKENS / 2 + 1)
})

test('the engine gets no more credit than the caller granted', () => {
  const account = new CreditAccount(10, clock)
  expect(account.lend()).toBe(10)
  account.spend(10)
  expect(account.lend()).toBe(0)
  account.grant(5)
  expect(account.lend()).toBe(5)
})
