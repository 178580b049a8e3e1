import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import {
  answerWindows,
  formatDigest,
  isPartialReceipt,
  joinPartialReceipt,
  openCard,
  openPartialReceipt,
  openReceipt,
  parseDigest,
  signPartialReceipt,
  signReceipt,
  tokensDigest,
  WindowChain,
  type PartialReceipt,
  type Receipt
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

const key = await generateKeyPair('Ed25519')
const peerId = peerIdFromPrivateKey(key)
const answer = Array.from({ length: 130 }, (_, index) => index * 7)

const receipt: Receipt = {
  requestId: new Uint8Array(16).fill(1),
  requestDigest: new Uint8Array(32).fill(2),
  modelDigest: new Uint8Array(32).fill(3),
  contract: 1,
  promptDigest: tokensDigest([1, 2, 3]),
  promptTokens: 3,
  answerWindows: answerWindows(answer),
  answerTokens: answer.length,
  firstPosition: 0,
  finishReason: 'stop',
  backend: {
    accelerator: 'cpu',
    engine: 'node-llama-cpp/3.22.1',
    kvType: 'bf16/f16',
    flashAttention: false,
    schedule: 'any'
  },
  usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 130 },
  timings: { queueMs: 0, prefillMs: 1.5, decodeMs: 20 },
  issuedAt: 1_800_000_000_000,
  rendering: 1,
  contentDigest: new Uint8Array(32).fill(4),
  fingerprintDigest: new Uint8Array(32).fill(6),
  logprobsDigest: new Uint8Array(32).fill(5)
}

describe('receipt', () => {
  test('is unchanged after signing and opening', async () => {
    expect(await openReceipt(await signReceipt(receipt, key), { peerId })).toEqual(receipt)
  })

  test('is refused if another peer signed it or a byte was changed', async () => {
    const bytes = await signReceipt(receipt, key)
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    await expect(openReceipt(bytes, { peerId: other })).rejects.toMatchObject({ code: 'protocol_violation' })
    for (let index = 0; index < bytes.length; index += 3) {
      const forged = Uint8Array.from(bytes)
      forged[index]! ^= 0x10
      await expect(openReceipt(forged, { peerId })).rejects.toMatchObject({ code: 'protocol_violation' })
    }
  })

  test('is not accepted as a card, although the same key signed it', async () => {
    const bytes = await signReceipt(receipt, key)
    await expect(openCard(bytes, { now: receipt.issuedAt })).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  test('must have one hash for every 64 tokens', async () => {
    const bytes = await signReceipt({ ...receipt, answerTokens: 200 }, key)
    await expect(openReceipt(bytes, { peerId })).rejects.toThrow('answer_windows')
  })

  test('a changed token changes only the hash of its window', () => {
    const changed = answerWindows(answer.with(70, 9999))
    expect(changed.map((window, index) => Buffer.compare(window, receipt.answerWindows[index]!) === 0)).toEqual([
      true,
      false,
      true
    ])
  })
})

describe('partial receipt', () => {
  const windows = new WindowChain([1, 2, 3])
  const fingerprints = Uint8Array.from({ length: 6 * answer.length }, (_, index) => index)
  windows.add(answer, fingerprints)
  const partial: PartialReceipt = {
    requestDigest: new Uint8Array(32).fill(2),
    firstPosition: 9,
    tokens: windows.tokens,
    digest: windows.digest,
    rendering: 1
  }

  const signed = async (): Promise<Uint8Array> =>
    joinPartialReceipt(partial, peerId, await signPartialReceipt(partial, key))

  test('is unchanged after signing and opening', async () => {
    expect(await openPartialReceipt(await signed(), { peerId })).toEqual(partial)
  })

  test('is an envelope of libp2p', async () => {
    const envelope = await RecordEnvelope.openAndCertify(await signed(), 'potluck-partial-receipt')
    expect(envelope.publicKey.equals(key.publicKey)).toBe(true)
  })

  test.each<[string, Partial<PartialReceipt>]>([
    ['request', { requestDigest: new Uint8Array(32) }],
    ['position', { firstPosition: 8 }],
    ['number of tokens', { tokens: 64 }],
    ['digest', { digest: new Uint8Array(32) }],
    ['rendering', { rendering: 2 }]
  ])('is refused if the node signed another %s', async (_, changes) => {
    const bytes = joinPartialReceipt(partial, peerId, await signPartialReceipt({ ...partial, ...changes }, key))
    await expect(openPartialReceipt(bytes, { peerId })).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  test('is refused if another peer signed it or a byte was changed', async () => {
    const bytes = await signed()
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    await expect(openPartialReceipt(bytes, { peerId: other })).rejects.toMatchObject({ code: 'protocol_violation' })
    for (let index = 0; index < bytes.length; index += 3) {
      const forged = Uint8Array.from(bytes)
      forged[index]! ^= 0x10
      await expect(openPartialReceipt(forged, { peerId })).rejects.toMatchObject({ code: 'protocol_violation' })
    }
  })

  test('is not a receipt, and a receipt is not a partial receipt', async () => {
    const [part, whole] = [await signed(), await signReceipt(receipt, key)]
    expect([isPartialReceipt(part), isPartialReceipt(whole)]).toEqual([true, false])
    await expect(openReceipt(part, { peerId })).rejects.toMatchObject({ code: 'protocol_violation' })
    await expect(openPartialReceipt(whole, { peerId })).rejects.toMatchObject({ code: 'protocol_violation' })
  })

  test('covers the complete windows, however the tokens arrive, and their prompt', () => {
    const chainOf = (prompt: number[], ...pieces: number[][]): string => {
      const chain = new WindowChain(prompt)
      let at = 0
      for (const piece of pieces) chain.add(piece, fingerprints.subarray(at, (at += 6 * piece.length)))
      return `${chain.tokens} ${Buffer.from(chain.digest).toString('hex')}`
    }
    const whole = chainOf([1, 2, 3], answer)
    expect(whole).toMatch(/^128 /)
    expect(chainOf([1, 2, 3], ...answer.map((id) => [id]))).toBe(whole)
    expect(chainOf([1, 2, 3], answer.slice(0, 70), answer.slice(70, 128))).toBe(whole)
    expect(chainOf([1, 2], answer)).not.toBe(whole)
    expect(chainOf([1, 2, 3], answer.with(3, 9999))).not.toBe(whole)
  })
})

describe('digest', () => {
  const text = `sha256:${'0123456789abcdef'.repeat(4)}`

  test('can be parsed with and without its prefix', () => {
    expect(formatDigest(parseDigest(text)!)).toBe(text)
    expect(formatDigest(parseDigest(text.slice(7).toUpperCase())!)).toBe(text)
    expect(formatDigest(parseDigest(text.replace(':', '-'))!)).toBe(text)
  })

  test.each(['', 'llama', text.slice(0, -1), `${text}0`, text.replace('0', 'g')])('%j is not a digest', (bad) => {
    expect(parseDigest(bad)).toBeUndefined()
  })
})
