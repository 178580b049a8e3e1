import { cpus } from 'node:os'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { CARD_TTL_MS, MAX_CARD_ADDRESSES, openCard, signCard } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { buildCard, selectAddresses, type CardFacts } from '../../../node/advertise/card.ts'
import { detectHardware } from '../../../node/hardware/detect.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { TOMBSTONE_TTL_MS } from '../../../node/limits/limits.ts'
import { describeReachability } from '../../../node/control/status.ts'

const LAN = '/ip4/192.168.1.5/tcp/4001'
const PUBLIC = '/ip4/198.41.30.241/tcp/4001'
const RELAYED = `${PUBLIC}/p2p/12D3KooWNLMfaHuQJJnFvMLrg9vRbcrPywdQSmm71b2zvPPgj2Y6/p2p-circuit`
const NOW = 1_800_000_000_000

const key = await generateKeyPair('Ed25519')
const engine = new ScriptedEngine({ slots: 3 })
const rates = { prefillTokensPerSecond: 100, decodeTokensPerSecond: 10 }
const facts: CardFacts = {
  peerId: peerIdFromPrivateKey(key),
  agent: 'potluck/test',
  served: [{ engine, rates }],
  hardware: detectHardware(engine.backend),
  scope: 'local'
}

test("the card contains the engine's model and the measured rates", async () => {
  const card = buildCard(facts, { addresses: [LAN], draining: false, sequence: NOW })
  const { digest, name, contextLength, features } = engine.model
  expect(card).toMatchObject({
    expiresAt: NOW + CARD_TTL_MS,
    addresses: [LAN],
    slots: 3,
    engine: 'scripted/1',
    models: [{ digest, name, contextLength, features, ...rates }]
  })
  expect(await openCard(await signCard(card, key), { now: NOW })).toMatchObject({ agent: 'potluck/test' })
})

test('a tombstone has no models and no addresses, and expires soon', () => {
  const card = buildCard(facts, { addresses: [LAN], draining: true, sequence: NOW })
  expect(card).toMatchObject({ models: [], addresses: [], draining: true, expiresAt: NOW + TOMBSTONE_TTL_MS })
})

test('public addresses come first, a public network uses no others, and their number is limited', () => {
  expect(selectAddresses([LAN, PUBLIC], 'local')).toEqual([PUBLIC, LAN])
  expect(selectAddresses([LAN, PUBLIC], 'public')).toEqual([PUBLIC])
  const many = Array.from({ length: 40 }, (_, index) => `/ip4/192.168.1.${index}/tcp/4001`)
  expect(selectAddresses(many, 'local')).toHaveLength(MAX_CARD_ADDRESSES)
})

test('the device is the GPU if the engine uses one, otherwise the processor', () => {
  expect(detectHardware({ ...engine.backend, accelerator: 'cuda', device: 'NVIDIA X', vramBytes: 5 })).toMatchObject({
    accelerator: 'cuda',
    device: 'NVIDIA X',
    vramBytes: 5
  })
  expect(detectHardware(engine.backend)).toMatchObject({ device: cpus()[0]?.model.trim(), vramBytes: 0 })
})

test.each([
  [[], 'not at all: the node listens on no address'],
  [[LAN], 'only from this machine and its local network'],
  [[LAN, RELAYED], 'through a relay'],
  [[LAN, RELAYED, RELAYED.replace('/tcp/4001', '/tcp/4002/ws')], 'through a relay'],
  [[LAN, RELAYED, RELAYED.replace('12D3KooWNLM', '12D3KooWXYZ')], 'through 2 relays'],
  [[LAN, RELAYED, PUBLIC], 'directly, at a public address']
])('%j is reachable %s', (addresses, words) => {
  expect(describeReachability(addresses)).toBe(words)
})
