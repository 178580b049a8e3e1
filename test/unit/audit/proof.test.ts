import { decodeFraudProof, encodeFraudProof, formatDigest, PotluckError, type AnswerRecord } from '@potluck/protocol'
import { beforeAll, describe, expect, test } from 'vitest'

import { checkProof, proofModel, rememberProof } from '../../../client/audit/proof.ts'
import { MemoryReputationStore, Reputation } from '../../../client/reputation/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { newPeer, requestFor, serve, type Peer } from './records.ts'

const engine = new ScriptedEngine()
/** Generates tokens that the model would not generate. */
const impostor = new ScriptedEngine({ reply: () => 'Something else entirely, and at some length.' })
let peer: Peer
let honest: AnswerRecord
let cheated: AnswerRecord[]

beforeAll(async () => {
  peer = await newPeer()
  honest = (await serve(engine, peer, requestFor(engine))).record
  cheated = []
  for (const content of ['One', 'Two', 'Three']) {
    const input = { messages: [{ role: 'user' as const, content }] }
    cheated.push((await serve(engine, peer, requestFor(engine, { input }), { engine: impostor })).record)
  }
})

const proofOf = (...answers: AnswerRecord[]): Uint8Array => encodeFraudProof({ peerId: peer.peerId, answers })
const refused = async (bytes: Uint8Array): Promise<unknown> =>
  checkProof(bytes, engine).then(
    () => 'taken',
    (error: unknown) => (error instanceof PotluckError ? error.code : error)
  )

test('only a convincing proof is written to the store', async () => {
  const standing = async (...answers: AnswerRecord[]): Promise<string> => {
    const store = new MemoryReputationStore()
    const finding = await checkProof(proofOf(...answers), engine)
    expect(rememberProof(finding, store)).toBe(finding.convincing)
    return new Reputation({ store }).standing(peer.peerId.toString(), formatDigest(engine.model.digest))
  }
  expect(await standing(...cheated)).toBe('banned')
  expect(await standing(honest)).toBe('probationary')
})

describe('a fraud proof', () => {
  test('decodes to what was encoded', () => {
    const bytes = proofOf(...cheated)
    const { peerId, answers } = decodeFraudProof(bytes)
    expect(peerId.equals(peer.peerId)).toBe(true)
    expect(answers).toEqual(cheated)
    expect(encodeFraudProof({ peerId, answers })).toEqual(bytes)
  })

  test('can be checked with only its bytes and the model, with the same result every time', async () => {
    const bytes = proofOf(...cheated)
    expect(await proofModel(bytes)).toEqual(engine.model.digest)
    const finding = await checkProof(bytes, engine)
    expect(finding).toMatchObject({ answers: 3, violations: [], confirmed: true, convincing: true })
    expect(await checkProof(bytes, new ScriptedEngine())).toEqual(finding)
  })

  test('of honest answers is not confirmed', async () => {
    expect(await checkProof(proofOf(honest), engine)).toMatchObject({ confirmed: false, convincing: false })
  })

  test('does not become stronger if it contains the same answer twice', async () => {
    const [first] = cheated
    const once = await checkProof(proofOf(first!), engine)
    const twice = await checkProof(proofOf(first!, first!), engine)
    expect(twice.logEvidence).toBe(once.logEvidence)
    expect(twice.convincing).toBe(once.convincing)
  })

  test('that shows a violation is certain', async () => {
    const { record } = await serve(engine, peer, requestFor(engine), { promptTokens: (tokens) => tokens.slice(0, 9) })
    const finding = await checkProof(proofOf(record), engine)
    expect(finding).toMatchObject({ violations: ['prompt'], logEvidence: Infinity, confirmed: true, convincing: true })
  })
})

describe('bytes that are not a valid fraud proof', () => {
  test('one changed byte is refused, at every position', async () => {
    const bytes = proofOf(cheated[0]!)
    const taken: number[] = []
    for (let index = 0; index < bytes.length; index++) {
      const changed = bytes.with(index, bytes[index]! ^ 1)
      if ((await refused(changed)) === 'taken') taken.push(index)
    }
    expect(taken).toEqual([])
  })

  test('a truncated proof and a proof with added bytes are refused', async () => {
    const bytes = proofOf(cheated[0]!)
    for (let length = 0; length < bytes.length; length += 7) {
      expect(await refused(bytes.slice(0, length))).toBe('protocol_violation')
    }
    expect(await refused(Uint8Array.of(...bytes, 0))).toBe('protocol_violation')
    // An unknown field.
    expect(await refused(Uint8Array.of(...bytes, 0x78, 0x01))).toBe('protocol_violation')
  })

  test('a proof with answers of two peers and a proof without answers are refused', async () => {
    const other = await serve(engine, await newPeer(), requestFor(engine))
    expect(await refused(proofOf(cheated[0]!, other.record))).toBe('protocol_violation')
    expect(await refused(proofOf())).toBe('protocol_violation')
  })

  test('a proof about a model that the checker does not have is refused', async () => {
    const elsewhere = new ScriptedEngine({ model: { digest: new Uint8Array(32) } })
    await expect(checkProof(proofOf(cheated[0]!), elsewhere)).rejects.toMatchObject({ code: 'model_not_found' })
  })
})
