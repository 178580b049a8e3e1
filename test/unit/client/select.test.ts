import type { Sighting } from '../../../client/discover/known-node.ts'
import { toModelViews } from '../../../client/discover/models.ts'
import { ambiguous, Offer, offersOf, settleModel } from '../../../client/select/offers.ts'
import { SAMPLING_CONTRACT, type Card, type Load, type ModelCard } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { IDLE, model } from './fake-node.ts'

const PEER = 'peer-a'
const FRIENDS = { localNode: undefined, trusted: new Set<string>() }

function sighting(
  models: readonly ModelCard[],
  changes: { card?: Partial<Card>; load?: Load; roundTripMs?: number } = {}
): Sighting {
  const { card, load = IDLE, roundTripMs = 10 } = changes
  return {
    card: { models, peerId: { toString: () => PEER }, draining: false, contract: SAMPLING_CONTRACT, ...card } as Card,
    load,
    roundTripMs,
    loadAt: 0,
    seenAt: 0
  }
}

function offer(changes: Parameters<typeof sighting>[1] = {}, of: Partial<ModelCard> = {}): Offer {
  const served = model(of)
  return new Offer(sighting([served], changes), served, [], FRIENDS)
}

describe('offers', () => {
  const any = ['chat']

  test('are of the model wanted', () => {
    const [a, b] = [model({ name: 'x/a:Q8_0' }), model({ name: 'x/b:Q8_0', digest: new Uint8Array(32).fill(9) })]
    const node = sighting([a, b])
    expect(offersOf(node, { kind: 'auto' }, any, FRIENDS)).toHaveLength(2)
    expect(offersOf(node, { kind: 'name', name: 'X/A:q8_0' }, any, FRIENDS).map((found) => found.model)).toEqual([a])
    const ofDigest = offersOf(node, { kind: 'digest', digest: b.digest }, any, FRIENDS)
    expect(ofDigest.map((found) => found.model)).toEqual([b])
  })

  test('say whether they have what is needed, by the contract that is ours', () => {
    const suitable = (node: Sighting, features: readonly string[]): boolean | undefined =>
      offersOf(node, { kind: 'auto' }, features, FRIENDS)[0]?.suitable
    const node = sighting([model({ features: ['completion'] })])
    expect(suitable(node, ['completion'])).toBe(true)
    expect(suitable(node, ['completion', 'chat'])).toBe(false)
    expect(suitable(sighting([model()], { card: { contract: SAMPLING_CONTRACT + 1 } }), any)).toBe(false)
    expect(offer({ card: { draining: true } }).draining).toBe(true)
  })

  test("know the user's own node and the trusted ones", () => {
    const [own] = offersOf(sighting([model()]), { kind: 'auto' }, any, { localNode: PEER, trusted: new Set() })
    expect(own).toMatchObject({ peer: PEER, local: true, trusted: false })
    const [friend] = offersOf(sighting([model()]), { kind: 'auto' }, any, {
      localNode: undefined,
      trusted: new Set([PEER])
    })
    expect(friend).toMatchObject({ local: false, trusted: true })
  })
})

describe('one model is settled on', () => {
  const small = offer({}, { digest: new Uint8Array(32).fill(1), parameters: 1e6 })
  const large = offer({}, { digest: new Uint8Array(32).fill(2), parameters: 1e9 })
  const slow = offer({}, { digest: new Uint8Array(32).fill(3), parameters: 1e11, decodeTokensPerSecond: 1 })

  test('the largest that is fast enough to read along', () => {
    expect(settleModel([small, large, slow], { kind: 'auto' })).toEqual([large])
  })

  test('the fastest where none is', () => {
    const slower = offer({}, { digest: new Uint8Array(32).fill(4), parameters: 1e12, decodeTokensPerSecond: 0.5 })
    expect(settleModel([slower, slow], { kind: 'auto' })).toEqual([slow])
  })

  test('of one name, the majority', () => {
    expect(settleModel([small, large, small], { kind: 'name', name: 'x' })).toEqual([small, small])
    expect(settleModel([small, large], { kind: 'name', name: 'x' })).toBeUndefined()
    expect(ambiguous([small, large])).toMatchObject({ code: 'invalid_request' })
  })
})

test('models are seen over their nodes', () => {
  const views = toModelViews([
    sighting([model({ name: 'a/a:Q8_0', decodeTokensPerSecond: 10 })]),
    sighting([model({ name: 'a/a:Q8_0', contextLength: 8192 })], { load: { ...IDLE, active: 1 } }),
    sighting([model({ name: 'b/b:Q8_0' })], { card: { draining: true } })
  ])
  expect(views).toHaveLength(1)
  expect(views[0]).toMatchObject({
    name: 'a/a:Q8_0',
    nodes: 2,
    freeSlots: 3,
    contextLength: 8192,
    decodeTokensPerSecond: 100
  })
})
