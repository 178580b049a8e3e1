/** The comparison of this machine's clock with the clocks of other peers. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import {
  CARD_TTL_MS,
  CardTimeError,
  ClockComparison,
  CLOCK_SKEW_MS,
  describeRefused,
  describeSkew,
  estimateSkew,
  openCard,
  signCard,
  type Card,
  type ClockSkew
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'
import { testCard } from '../../peers/card.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const keys = await Promise.all(Array.from({ length: 5 }, async () => await generateKeyPair('Ed25519')))

function cardOf(index: number, sequence: number): Card {
  return testCard(peerIdFromPrivateKey(keys[index]!), { sequence })
}

describe('the estimate', () => {
  test('needs three peers', () => {
    expect(estimateSkew([-3 * HOUR, -3 * HOUR])).toBeUndefined()
    expect(estimateSkew([-3 * HOUR, -3 * HOUR, -3 * HOUR])).toEqual({ skewMs: -3 * HOUR, peers: 3 })
  })

  test('does not take the age of honest cards for a wrong clock', () => {
    expect(estimateSkew([0, 59 * MINUTE, 30 * MINUTE, 60 * MINUTE])).toBeUndefined()
    expect(estimateSkew([-CLOCK_SKEW_MS, -CLOCK_SKEW_MS, -CLOCK_SKEW_MS])).toBeUndefined()
  })

  test('takes the freshest card that is not extreme', () => {
    const ages = [0, 20 * MINUTE, 40 * MINUTE, 50 * MINUTE, 59 * MINUTE]
    expect(estimateSkew(ages.map((age) => age - 3 * HOUR))?.skewMs).toBe(-3 * HOUR + 20 * MINUTE)
    expect(estimateSkew(ages.map((age) => age + 3 * HOUR))?.skewMs).toBe(3 * HOUR + 20 * MINUTE)
  })

  test('is right to the hour with ages of up to an hour, whatever a minority of liars says', () => {
    const honest = fc.array(fc.integer({ min: 0, max: HOUR }), { minLength: 2, maxLength: 20 })
    const lies = fc.array(fc.integer({ min: -1e12, max: 1e12 }), { minLength: 1, maxLength: 20 })
    const error = fc.integer({ min: -100 * HOUR, max: 100 * HOUR })
    fc.assert(
      fc.property(honest, lies, error, (ages, allLies, skewMs) => {
        const liars = allLies.slice(0, Math.max(1, Math.floor((ages.length - 1) / 2)))
        const estimate = estimateSkew([...ages.map((age) => age + skewMs), ...liars])
        if (Math.abs(skewMs) <= CLOCK_SKEW_MS) expect(estimate).toBeUndefined()
        else if (Math.abs(skewMs) > HOUR + CLOCK_SKEW_MS) {
          expect(estimate?.skewMs).toBeGreaterThanOrEqual(skewMs)
          expect(estimate?.skewMs).toBeLessThanOrEqual(skewMs + HOUR)
        }
      })
    )
  })
})

describe('a comparison', () => {
  const monotonic = { ms: 0 }
  let ownSkewMs = 0
  /** Opens cards as a machine does whose clock is wrong by this time. Monotonic and wall clock advance together. */
  async function compare(
    clocks: ClockComparison,
    skewMs: number,
    peers: readonly number[] = [0, 1, 2, 3, 4]
  ): Promise<string[]> {
    const results = peers.map(async (index) => {
      ownSkewMs = skewMs
      const now = NOW + monotonic.ms + skewMs
      const card = cardOf(index, NOW + monotonic.ms)
      const opened = openCard(await signCard(card, keys[index]!), { now, peerId: card.peerId })
      return await clocks.observe(opened).then(
        () => 'valid',
        (error: unknown) => (error instanceof CardTimeError ? error.message : String(error))
      )
    })
    return await Promise.all(results)
  }
  const comparison = (reports: (ClockSkew | undefined)[] = []): ClockComparison =>
    new ClockComparison({
      now: () => NOW + monotonic.ms + ownSkewMs,
      monotonic: () => monotonic.ms,
      onChange: (skew) => reports.push(skew)
    })

  test('of a right clock finds nothing', async () => {
    const reports: (ClockSkew | undefined)[] = []
    const clocks = comparison(reports)
    expect(await compare(clocks, 0)).toEqual(Array(5).fill('valid'))
    expect([clocks.skew(), clocks.refused(), reports]).toEqual([undefined, undefined, []])
  })

  test('learns from cards that are refused, and reports once', async () => {
    const reports: (ClockSkew | undefined)[] = []
    const clocks = comparison(reports)
    expect(await compare(clocks, -3 * HOUR)).toEqual(Array(5).fill('invalid card: sequence is in the future'))
    expect(clocks.skew()).toEqual({ skewMs: -3 * HOUR, peers: 5 })
    expect(clocks.refused()).toEqual({ skewMs: -3 * HOUR, peers: 5 })
    expect(reports).toHaveLength(1)
    const ahead = comparison()
    expect(await compare(ahead, 3 * HOUR)).toEqual(Array(5).fill('invalid card: expires_at is in the past'))
    expect(ahead.skew()).toEqual({ skewMs: 3 * HOUR, peers: 5 })
  })

  test('of a clock that was set begins again', async () => {
    const reports: (ClockSkew | undefined)[] = []
    const clocks = comparison(reports)
    await compare(clocks, -3 * HOUR)
    ownSkewMs = 0
    expect([clocks.skew(), clocks.refused()]).toEqual([undefined, undefined])
    expect(reports).toEqual([expect.anything(), undefined])
  })

  test('counts a peer once, and forgets it after two hours', async () => {
    const clocks = comparison()
    await compare(clocks, 3 * HOUR, [0, 0, 0])
    expect(clocks.skew()).toBeUndefined()
    expect(clocks.refused()?.peers).toBe(1)
    monotonic.ms += CARD_TTL_MS + 1
    expect(clocks.refused()).toBeUndefined()
  })

  test.each([
    ['one address', 1, () => '/ip4/8.8.8.8/tcp/4001'],
    ['one relay', 3, () => '/ip4/8.8.8.8/tcp/4001/p2p-circuit'],
    ['different subnets', 5, (index: number) => `/ip4/8.8.${index}.8/tcp/4001`],
    ['a LAN', 5, () => '/ip4/192.168.1.7/tcp/4001']
  ])('of peers at %s counts %d of 5', async (_, counted, address) => {
    const clocks = comparison()
    for (const index of keys.keys()) {
      const card = Promise.resolve(cardOf(index, NOW + 3 * HOUR))
      await clocks.observe(card, multiaddr(address(index)))
    }
    expect(clocks.skew()?.peers).toBe(counted < 3 ? undefined : counted)
  })

  test('ignores invalid cards', async () => {
    const clocks = comparison()
    await expect(clocks.observe(openCard(new Uint8Array(9), { now: NOW }))).rejects.toThrow('invalid')
    expect(clocks.refused()).toBeUndefined()
  })
})

test('the sentences have a number that a person can use', () => {
  const sentence = (skewMs: number): string => describeSkew({ skewMs, peers: 5 })
  expect(sentence(-3.2 * HOUR)).toBe("this machine's clock is about 3 hours behind (compared with 5 peers)")
  expect(sentence(7 * MINUTE)).toBe("this machine's clock is about 7 minutes ahead (compared with 5 peers)")
  expect(sentence(-49 * HOUR)).toBe("this machine's clock is about 2 days behind (compared with 5 peers)")
  expect(describeRefused({ skewMs: -3 * HOUR, peers: 1 })).toBe(
    "one node was found, but its clock and this machine's clock differ by about 3 hours"
  )
})
