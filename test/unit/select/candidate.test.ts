import { formatDigest, SAMPLING_CONTRACT } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { ambiguousName, matchingModels, settleDigest, supports } from '../../../client/select/candidate.ts'
import { candidate, knownNode, model } from './help.ts'

describe('the models that a selector accepts', () => {
  const [a, b] = [model({ name: 'x/a:Q8_0' }), model({ name: 'x/b:Q8_0', digest: new Uint8Array(32).fill(9) })]
  const node = knownNode('peer', { card: { models: [a, b] } })

  test('auto: all of them', () => {
    expect(matchingModels(node, { kind: 'auto' })).toEqual([a, b])
  })

  test('a name, in any case', () => {
    expect(matchingModels(node, { kind: 'name', name: 'X/A:q8_0' })).toEqual([a])
  })

  test('a digest', () => {
    expect(matchingModels(node, { kind: 'digest', digest: b.digest })).toEqual([b])
  })
})

test('a model supports a request if it has every feature and the node uses the same sampling contract', () => {
  const completion = model({ features: ['completion'] })
  const node = knownNode('peer', { card: { models: [completion] } })
  expect(supports(node, completion, ['completion'])).toBe(true)
  expect(supports(node, completion, ['completion', 'chat'])).toBe(false)
  const other = knownNode('peer', { card: { contract: SAMPLING_CONTRACT + 1 } })
  expect(supports(other, model(), ['chat'])).toBe(false)
})

describe('the digest that a request uses', () => {
  const small = candidate('small', { model: { digest: new Uint8Array(32).fill(1), parameters: 1e6 } })
  const large = candidate('large', { model: { digest: new Uint8Array(32).fill(2), parameters: 1e9 } })
  const slow = candidate('slow', {
    model: { digest: new Uint8Array(32).fill(3), parameters: 1e11, decodeTokensPerSecond: 1 }
  })

  test('auto: the largest model that runs at reading speed', () => {
    expect(settleDigest([small, large, slow], { kind: 'auto' })).toEqual([large])
  })

  test('auto: the fastest model if all are slower than reading speed', () => {
    const slower = candidate('slower', {
      model: { digest: new Uint8Array(32).fill(4), parameters: 1e12, decodeTokensPerSecond: 0.5 }
    })
    expect(settleDigest([slower, slow], { kind: 'auto' })).toEqual([slow])
  })

  test('a name: the digest that the majority of its nodes serves', () => {
    expect(settleDigest([small, large, small], { kind: 'name', name: 'x' })).toEqual([small, small])
    expect(settleDigest([small, large], { kind: 'name', name: 'x' })).toBeUndefined()
  })

  test('a name without a majority: the error lists each digest once', () => {
    const error = ambiguousName([small, large, small])
    expect(error.code).toBe('invalid_request')
    expect(error.message.match(/sha256:[0-9a-f]{64}/g)).toEqual(
      [small, large].map(({ model: { digest } }) => formatDigest(digest))
    )
  })
})
