import {
  AUDIT_PROTOCOL,
  decodeAuditRequest,
  encodeAuditReply,
  FrameStream,
  MAX_FRAME_BYTES,
  type AuditResult,
  FINGERPRINT_BYTES
} from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { FakeNode } from '../../e2e/client/fake-node.ts'
import { model } from '../../unit/select/help.ts'
import type { Attack } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST = 'The quick brown fox jumps over the lazy dog, and then it sleeps until the evening.'
const OTHER = 'A slow green snail creeps under the busy bee, and then it hides until the morning.'
const HONEST_NODES = 6
const COLLUDERS = 2
/** The tokens for which the colluders praise one answer of the cheating node. */
const PRAISED = 100_000
const WAIT = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const

const engine = (reply: string): ScriptedEngine => new ScriptedEngine({ reply: () => reply, slots: 2 })

export const attack: Attack = {
  title: 'two keys accuse honest nodes in audits, and praise a node that serves another model',
  cost: 'three keys; no model',
  before: '3 of 3 honest nodes banned for good, 100,000 tokens of praise for one answer',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const bootstrap: string[] = []
    const start = async (reply: string): Promise<string> => {
      const node = await network.node({}, engine(reply))
      bootstrap.push(...node.addresses())
      return node.peerId.toString()
    }
    const honest = await Promise.all(Array.from({ length: HONEST_NODES }, async () => await start(HONEST)))
    const cheat = await start(OTHER)
    await using colluders = new AsyncDisposableStack()
    for (let index = 0; index < COLLUDERS; index++) {
      const colluder = await startColluder(cheat)
      bootstrap.push(colluder.address)
      colluders.defer(async () => await colluder.stop())
    }
    // Small probations, and every answer is audited, so that a short run has many audits.
    const parameters = { probationShare: 1, probationTokens: 150, auditAllowanceTokens: 1e6, auditFloor: 1 }
    const client = await network.client({ bootstrap, reputation: { parameters } })
    await client.models()

    const requests = short ? 40 : 200
    let praised = 0
    let late = 0
    for (let asked = 0; asked < requests; asked++) {
      signal.throwIfAborted()
      const messages = [{ role: 'user' as const, content: `question ${asked}` }]
      const standings = new Map(client.standing().map(({ peerId, auditedTokens }) => [peerId, auditedTokens]))
      const { metadata } = await client.chat({ messages, shareable: true, signal }).result()
      await client.audited()
      const now = client.standing().find(({ peerId }) => peerId === cheat)?.auditedTokens ?? 0
      praised = Math.max(praised, now - (standings.get(cheat) ?? 0))
      if (metadata.peerId === cheat && asked >= requests / 2) late++
    }
    for (const { peerId, reasons } of client.standing()) note(`…${peerId.slice(-8)}: ${reasons[0] ?? ''}`)
    const excluded = client
      .standing()
      .filter(({ peerId, standing }) => honest.includes(peerId) && ['quarantined', 'banned'].includes(standing))
    return [
      { metric: 'honest nodes quarantined or banned', value: excluded.length, limit: { atMost: 0 } },
      { metric: 'tokens of praise for one answer of 82 tokens', value: praised, limit: { atMost: 100 } },
      {
        metric: 'answers by the cheat in the second half, %',
        value: (200 * late) / requests,
        limit: { atMost: 5 }
      }
    ]
  }
}

/** Starts a node that lies in every audit. Its context is too short for requests, so it never serves. */
async function startColluder(cheat: string): Promise<FakeNode> {
  const { digest, name, features } = engine(HONEST).model
  const colluder = await FakeNode.start({ models: [model({ digest, name, features, contextLength: 2 })] })
  colluder.serve = async (script) => await script.error('busy')
  await colluder.libp2p.handle(AUDIT_PROTOCOL, async (stream) => {
    const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
    const bytes = await frames.receive(WAIT)
    if (bytes === undefined) return
    const { peerId } = decodeAuditRequest(bytes)
    const result = peerId.toString() === cheat ? praise() : ACCUSATION
    await frames.send(encodeAuditReply({ type: 'result', result }), WAIT)
    await frames.close()
  })
  return colluder
}

const ACCUSATION: AuditResult = {
  comparable: true,
  violations: ['prompt'],
  measured: [],
  fingerprints: new Uint8Array()
}

function praise(): AuditResult {
  const measured = Array.from({ length: PRAISED }, () => ({ margin: 0, gap: 1 }))
  return { comparable: true, violations: [], measured, fingerprints: new Uint8Array(PRAISED * FINGERPRINT_BYTES) }
}
