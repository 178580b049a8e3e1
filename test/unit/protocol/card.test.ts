import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import {
  anyNodeCid,
  cardKey,
  CARD_TTL_MS,
  CLOCK_SKEW_MS,
  createCardValidator,
  kadOptions,
  MAX_CARD_BYTES,
  modelCid,
  nameCid,
  openCard,
  PotluckError,
  signCard,
  type Card
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { card as anyCard } from './arbitraries.ts'
import { mutate, randomBytes, xorshift } from './mutate.ts'

const NOW = 1_800_000_000_000
const key = await generateKeyPair('Ed25519')
const peerId = peerIdFromPrivateKey(key)
const otherKey = await generateKeyPair('Ed25519')
const otherPeer = peerIdFromPrivateKey(otherKey)

const plain: Card = {
  peerId,
  sequence: NOW,
  expiresAt: NOW + CARD_TTL_MS,
  addresses: ['/ip4/127.0.0.1/tcp/4001'],
  models: [
    {
      digest: new Uint8Array(32).fill(5),
      name: 'potluck/crumb:Q8_0',
      architecture: 'llama',
      parameters: 3_000_000,
      quantization: 'Q8_0',
      contextLength: 1024,
      features: ['chat'],
      prefillTokensPerSecond: 1000,
      decodeTokensPerSecond: 500,
      sizeBytes: 4_000_000,
      schedule: 'any'
    }
  ],
  hardware: { accelerator: 'cpu', device: 'a processor', vramBytes: 0, ramBytes: 8e9, cores: 4, os: 'linux x64' },
  slots: 4,
  engine: 'node-llama-cpp/3.22.1',
  contract: 1,
  agent: 'potluck/0.1.0',
  draining: false
}

async function refusal(run: Promise<unknown>): Promise<string> {
  try {
    await run
  } catch (error) {
    if (error instanceof PotluckError && error.code === 'protocol_violation') return error.message
    throw error
  }
  return 'accepted'
}

describe('card', () => {
  test('is unchanged after signing and opening', async () => {
    await fc.assert(
      fc.asyncProperty(anyCard(peerId, NOW), async (card) => {
        expect(await openCard(await signCard(card, key), { now: NOW, peerId })).toEqual(card)
      })
    )
  })

  test('of another peer is refused', async () => {
    const bytes = await signCard(plain, key)
    expect(await refusal(openCard(bytes, { now: NOW, peerId: otherPeer }))).toContain('signer')
  })

  test('cannot be signed for another peer', async () => {
    expect(await refusal(signCard({ ...plain, peerId: otherPeer }, key))).toMatch(/signer|peer_id/)
  })

  test('is refused from its expiry on', async () => {
    const bytes = await signCard(plain, key)
    expect(await refusal(openCard(bytes, { now: plain.expiresAt - 1 }))).toBe('accepted')
    expect(await refusal(openCard(bytes, { now: plain.expiresAt }))).toContain('expires_at')
  })

  test('is refused if its time is further in the future than the clocks of two peers can differ', async () => {
    const bytes = await signCard(plain, key)
    expect(await refusal(openCard(bytes, { now: NOW - CLOCK_SKEW_MS }))).toBe('accepted')
    expect(await refusal(openCard(bytes, { now: NOW - CLOCK_SKEW_MS - 1 }))).toContain('sequence')
  })

  test('cannot be signed for longer than the lifetime of cards', async () => {
    expect(await refusal(signCard({ ...plain, expiresAt: NOW + CARD_TTL_MS + 1 }, key))).toContain('expires_at')
  })

  test.each<[string, Partial<Card>]>([
    ['models', { models: Array.from({ length: 17 }, () => plain.models[0]!) }],
    ['addresses', { addresses: Array.from({ length: 17 }, () => '/ip4/127.0.0.1/tcp/1') }],
    ['agent', { agent: 'x'.repeat(257) }],
    ['agent', { agent: 'a\u001b[31mred' }],
    ['engine', { engine: 'two\nlines' }],
    ['digest', { models: [{ ...plain.models[0]!, digest: new Uint8Array(31) }] }],
    ['decode_tokens_per_second', { models: [{ ...plain.models[0]!, decodeTokensPerSecond: Number.NaN }] }],
    ['context_length', { models: [{ ...plain.models[0]!, contextLength: 0 }] }]
  ])('with an invalid %s is refused', async (field, part) => {
    expect(await refusal(signCard({ ...plain, ...part }, key))).toContain(field)
  })

  test('is refused before decoding if it is too large', async () => {
    expect(await refusal(openCard(new Uint8Array(MAX_CARD_BYTES + 1), { now: NOW }))).toContain('bytes')
  })

  /** Resolves to whether the bytes are refused. Changed bytes can still encode the same card, but never another one. */
  async function refusedOrSame(bytes: Uint8Array): Promise<boolean> {
    try {
      expect(await openCard(bytes, { now: NOW, peerId })).toEqual(plain)
      return false
    } catch (error) {
      if (error instanceof PotluckError && error.code === 'protocol_violation') return true
      throw error
    }
  }

  test('with one changed bit is refused or is still the same card', async () => {
    const bytes = await signCard(plain, key)
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Uint8Array.from(bytes)
      forged[bit >> 3]! ^= 1 << (bit & 7)
      if (await refusedOrSame(forged)) refused++
    }
    expect(refused).toBeGreaterThan(bytes.length * 8 * 0.95)
  })

  test('40,000 random and mutated cards are refused with a code or are still the same card', async () => {
    const random = xorshift(0x2545f491)
    const seed = await signCard(plain, key)
    let refused = 0
    for (let run = 0; run < 40_000; run++) {
      if (await refusedOrSame(run % 2 === 0 ? randomBytes(random) : mutate(seed, random))) refused++
    }
    expect(refused).toBeGreaterThan(39_000)
  })
})

describe('the validator of storing peers', () => {
  const sign = async (sequence: number): Promise<Uint8Array> =>
    await signCard({ ...plain, sequence, expiresAt: sequence + 60_000 }, key)

  test('accepts a card under its own key only', async () => {
    const validate = createCardValidator(() => NOW)
    const bytes = await sign(NOW)
    await validate(cardKey(peerId), bytes)
    for (const bad of [
      cardKey(otherPeer),
      new TextEncoder().encode('/potluck-card/nobody'),
      new TextEncoder().encode('/potluck-card'),
      new TextEncoder().encode(`/potluck-card/${peerId.toString()}/x`),
      new TextEncoder().encode(`/pk/${peerId.toString()}`)
    ]) {
      expect(await refusal(Promise.resolve(validate(bad, bytes)))).not.toBe('accepted')
    }
  })

  test('refuses a card that is older than the newest known one, and accepts the newest one again', async () => {
    const validate = createCardValidator(() => NOW)
    const old = await sign(NOW - 1000)
    const current = await sign(NOW)
    await validate(cardKey(peerId), old)
    await validate(cardKey(peerId), current)
    await validate(cardKey(peerId), current)
    expect(await refusal(Promise.resolve(validate(cardKey(peerId), old)))).toContain('older')
  })

  test('selects the newest of several cards in any order, and skips malformed ones', async () => {
    const select = kadOptions({ scope: 'local' }).selectors!['potluck-card']!
    const records = [await sign(NOW - 2000), Uint8Array.of(1, 2, 3), await sign(NOW), await sign(NOW - 1000)]
    expect(await select(cardKey(peerId), records)).toBe(2)
    expect(await select(cardKey(peerId), records.toReversed())).toBe(1)
  })
})

describe('provider keys', () => {
  test('the key of a model is the CID of its file', () => {
    const digest = new Uint8Array(32).fill(5)
    expect(Buffer.compare(modelCid(digest).multihash.digest, digest)).toBe(0)
    expect(modelCid(digest).toString().startsWith('bafkrei')).toBe(true)
  })

  test('the key of a name ignores case, and differs from the key of all nodes', () => {
    expect(nameCid('User/Repo:Q4_K_M').equals(nameCid('user/repo:q4_k_m'))).toBe(true)
    expect(nameCid('node').equals(anyNodeCid())).toBe(false)
  })
})
