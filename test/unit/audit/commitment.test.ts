/** Only auditors learn which requests are shareable. */
import { commitment, encodeAuditRequest, isShareable, newOpening, type AnswerRecord } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { newPeer, OPENING, PRIVATE, requestFor, serve } from './records.ts'

test('an opening shows that a request is shareable, and no opening shows it for a private request', () => {
  const opening = newOpening()
  expect(isShareable({ commitment: commitment(true, opening) }, opening)).toBe(true)
  expect(isShareable({ commitment: commitment(true, opening) }, newOpening())).toBe(false)
  expect(isShareable({ commitment: commitment(true, opening) }, undefined)).toBe(false)
  expect(isShareable({ commitment: commitment(false, opening) }, opening)).toBe(false)
})

test('a node audits only what the opening shows to be shareable', async () => {
  const engine = new ScriptedEngine()
  const { peerId, ...peer } = await newPeer()
  const { record } = await serve(engine, { peerId, ...peer }, requestFor(engine))
  const secret = (await serve(engine, { peerId, ...peer }, requestFor(engine, { commitment: PRIVATE }))).record
  const audit = async (answer: AnswerRecord): Promise<unknown> =>
    await engine.audit({ frame: encodeAuditRequest({ peerId, answer }), forPeer: true })
  await audit(record)
  const { opening: _, ...closed } = record
  for (const answer of [secret, closed, { ...record, opening: OPENING.with(0, 0) }]) {
    await expect(audit(answer)).rejects.toThrow('not marked as shareable')
  }
})
