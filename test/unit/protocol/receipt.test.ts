import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  answerWindows,
  formatDigest,
  openCard,
  openReceipt,
  parseDigest,
  signReceipt,
  tokensDigest,
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
  backend: { accelerator: 'cpu', engine: 'node-llama-cpp/3.22.1', kvType: 'bf16/f16', flashAttention: false },
  usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 130 },
  timings: { queueMs: 0, prefillMs: 1.5, decodeMs: 20 },
  issuedAt: 1_800_000_000_000,
  contentDigest: new Uint8Array(32).fill(4),
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
