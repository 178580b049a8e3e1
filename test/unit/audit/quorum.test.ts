import { decodeAuditReply, encodeAuditReply, type AuditResult } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { agreed, auditByOthers, auditorOrder } from '../../../client/audit/quorum.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { newPeer, PRIVATE, requestFor, serve } from './records.ts'

const exact = { margin: 0, gap: 2 }
const result = (...measured: AuditResult['measured']): AuditResult => ({ comparable: true, violations: [], measured })

describe('the order of auditors', () => {
  test('differs for every receipt and every client, and never contains the audited node', async () => {
    const candidates = await Promise.all(Array.from({ length: 20 }, newPeer))
    const audited = candidates[3]!.peerId
    const order = async (receipt: number, nonce: number): Promise<string> => {
      const options = { receipt: Uint8Array.of(receipt), nonce: Uint8Array.of(nonce), audited }
      return (await auditorOrder(candidates, options)).map(({ peerId }) => peerId.toString()).join()
    }
    expect(await order(1, 1)).toBe(await order(1, 1))
    expect(await order(1, 1)).not.toBe(await order(2, 1))
    expect(await order(1, 1)).not.toBe(await order(1, 2))
    expect(await order(1, 1)).not.toContain(audited.toString())
    const firsts = await Promise.all(
      Array.from({ length: 200 }, async (_, nonce) => (await order(7, nonce)).split(',')[0])
    )
    expect(new Set(firsts).size).toBeGreaterThan(15)
  })
})

describe('two auditors', () => {
  test('agree despite honest noise, and the smaller margin and gap count', () => {
    const one = result(exact, { margin: 0.04, gap: 0.04 }, { margin: Infinity, gap: 1 })
    const other = result({ margin: 0.02, gap: 0.02 }, { margin: 0, gap: 0.01 }, { margin: Infinity, gap: 1.1 })
    expect(agreed(one, other)?.measured).toEqual([
      { margin: 0, gap: 0.02 },
      { margin: 0, gap: 0.01 },
      { margin: Infinity, gap: 1 }
    ])
  })

  test.each([
    [
      'one colludes with the node and reports no mismatch',
      result(...Array.from({ length: 20 }, () => exact)),
      result(...Array.from({ length: 20 }, () => ({ margin: 2, gap: 1 })))
    ],
    ['they measured different numbers of tokens', result(exact), result(exact, exact)],
    ['only one reports a violation', result(), { ...result(), violations: ['prompt'] }],
    ['only one says that the answer is comparable', result(), { ...result(), comparable: false }]
  ] satisfies [string, AuditResult, AuditResult][])('contradict each other: %s', (_, one, other) => {
    expect(agreed(one, other)).toBeUndefined()
    expect(agreed(other, one)).toBeUndefined()
  })
})

describe('privacy', () => {
  test('a request that is not shareable is not sent to any node', async () => {
    const engine = new ScriptedEngine()
    const peer = await newPeer()
    const { record } = await serve(engine, peer, requestFor(engine, { commitment: PRIVATE }))
    const audit = (): never => expect.fail('a node was asked')
    const context = { nonce: new Uint8Array(16), signal: new AbortController().signal }
    const asked = auditByOthers([{ ...(await newPeer()), audit }], { peerId: peer.peerId, answer: record }, context)
    await expect(asked).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('a reply', () => {
  test('decodes to what was encoded, in single precision', () => {
    const sent = { ...result({ margin: 0.5, gap: 0.25 }, { margin: Infinity, gap: 3 }), violations: ['usage' as const] }
    expect(decodeAuditReply(encodeAuditReply({ type: 'result', result: sent }))).toEqual({
      type: 'result',
      result: sent
    })
  })

  test.each([
    ['margins without gaps', [{ margin: 1, gap: Number.NaN }]],
    ['a margin below zero', [{ margin: -1, gap: 1 }]]
  ])('%s is refused', (_, measured) => {
    expect(() => decodeAuditReply(encodeAuditReply({ type: 'result', result: result(...measured) }))).toThrow(
      /audit reply/
    )
  })
})
