/** Which nodes may get a request at all, through the selector and a real reputation. */
import { formatDigest, SAMPLING_CONTRACT } from '@potluck/protocol'
import { expect, test } from 'vitest'

import type { KnownNode } from '../../../client/discover/known-node.ts'
import type { Reputation } from '../../../client/reputation/index.ts'
import { gateReason, type GateReason, type Requirements } from '../../../client/select/gate.ts'
import type { Mode, UserNodes } from '../../../client/select/index.ts'
import { audit } from '../reputation/help.ts'
import { FakeDirectory, newSelector } from './fakes.ts'
import { knownNode, model, NOW, peers } from './help.ts'

const DIGEST = formatDigest(model().digest)
const REQUIREMENTS: Requirements = { features: ['chat'], maxTokens: 500 }

/** Returns the peers that pass, and the reasons of the others. */
function gate(
  nodes: readonly KnownNode[],
  options: { mode?: Mode; user?: Partial<UserNodes>; learn?: (reputation: Reputation) => void } = {}
): { passed: string[]; refused: Record<string, GateReason> } {
  const { mode = 'open', user = {}, learn = () => undefined } = options
  const { selector, reputation } = newSelector(new FakeDirectory(nodes), {
    user: { localNode: undefined, trusted: new Set(), ...user },
    mode,
    now: () => NOW
  })
  learn(reputation)
  const refused: Record<string, GateReason> = {}
  const passed = selector.candidates(nodes, { kind: 'auto' }, REQUIREMENTS, (peer, reason) => (refused[peer] = reason))
  return { passed: peers(passed), refused }
}

const FAST = { prefillTokensPerSecond: 1e6, decodeTokensPerSecond: 1e4 }
const ban = (reputation: Reputation): void => reputation.observe('bad', DIGEST, audit(1e6))
const quarantine = (reputation: Reputation): void => reputation.observe('bad', DIGEST, audit(100))

const REFUSED: Array<[string, GateReason, KnownNode, ((reputation: Reputation) => void)?]> = [
  ['is banned', 'banned', knownNode('bad', { card: { models: [model(FAST)] } }), ban],
  ['is quarantined', 'quarantined', knownNode('bad', { card: { models: [model(FAST)] } }), quarantine],
  ['shuts down', 'draining', knownNode('bad', { card: { models: [model(FAST)], draining: true } })],
  [
    'lacks a feature',
    'not_suitable',
    knownNode('bad', { card: { models: [model({ ...FAST, features: ['completion'] })] } })
  ],
  [
    'uses another sampling contract',
    'not_suitable',
    knownNode('bad', { card: { models: [model(FAST)], contract: SAMPLING_CONTRACT + 1 } })
  ],
  [
    'has a context that is not longer than the answer',
    'context_too_short',
    knownNode('bad', { card: { models: [model({ ...FAST, contextLength: 500 })] } })
  ]
]

test.each(REFUSED)('a node that %s gets no request, however fast it is', (_, reason, bad, learn) => {
  const { passed, refused } = gate([bad, knownNode('good')], learn === undefined ? {} : { learn })
  expect(passed).toEqual(['good'])
  expect(refused).toEqual({ bad: reason })
})

test('the modes "trusted" and "local" exclude all other nodes', () => {
  const all = [knownNode('own'), knownNode('trusted'), knownNode('other')]
  const user = { localNode: 'own', trusted: new Set(['trusted']) }
  expect(gate(all, { mode: 'local', user })).toEqual({
    passed: ['own'],
    refused: { trusted: 'not_local', other: 'not_local' }
  })
  expect(gate(all, { mode: 'trusted', user })).toEqual({
    passed: ['own', 'trusted'],
    refused: { other: 'not_trusted' }
  })
  expect(gate(all, { user }).passed).toEqual(['own', 'trusted', 'other'])
})

test('the mode excludes a node whose card is not known, too', () => {
  const user = { localNode: 'own', trusted: new Set(['trusted']) }
  const allowed = (mode?: Mode): string[] => {
    const { selector } = newSelector(new FakeDirectory([]), { user, ...(mode && { mode }) })
    return ['own', 'trusted', 'other'].filter((peer) => selector.allows(peer))
  }
  expect(allowed('local')).toEqual(['own'])
  expect(allowed('trusted')).toEqual(['own', 'trusted'])
  expect(allowed()).toEqual(['own', 'trusted', 'other'])
})

test("audits do not exclude the user's own node", () => {
  expect(gate([knownNode('bad')], { user: { localNode: 'bad' }, learn: ban }).passed).toEqual(['bad'])
})

test('audits exclude a trusted node', () => {
  expect(gate([knownNode('bad')], { user: { trusted: new Set(['bad']) }, learn: ban }).refused).toEqual({
    bad: 'banned'
  })
})

test('if the caller sets no limit, every context is long enough', () => {
  const short = { node: knownNode('short'), model: model({ contextLength: 1 }), local: false, trusted: false }
  const requirements = { features: [], maxTokens: undefined }
  expect(gateReason({ ...short, standing: 'established' }, requirements, 'open')).toBeUndefined()
})
