import { setTimeout as sleep } from 'node:timers/promises'

import { AUDIT_PROTOCOL } from '@potluck/protocol'

import { FakeNode } from '../../e2e/client/fake-node.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { model } from '../../unit/select/help.ts'
import type { Attack } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST_NODES = 5
const REQUESTS = { short: 15, full: 40 }
/** The share of the answers that the client must audit at once. One panel at a time can wait for the silent node. */
const AUDITED = 0.75
/** Without the attacker, all audits take less than a second. */
const ENOUGH_MS = 10_000
/** Tokens of an answer, with the end of the turn. */
const TOKENS = 27

const engine = (): ScriptedEngine => new ScriptedEngine({ reply: () => 'The quick brown fox jumps.', slots: 8 })

export const attack: Attack = {
  title: 'accepts every audit and never replies, so that the client audits nobody',
  cost: 'one key; no model',
  before: '0 of 40 answers audited within 5 s; each audit by the node held up all others for one to two minutes',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const honest = await Promise.all(Array.from({ length: HONEST_NODES }, async () => await network.node({}, engine())))
    const { digest, name, features } = engine().model
    // Its context is too short for requests, so it only audits.
    const silent = await FakeNode.start({ models: [model({ digest, name, features, contextLength: 2 })] })
    network.defer(async () => await silent.stop())
    let asked = 0
    await silent.libp2p.handle(AUDIT_PROTOCOL, async () => void asked++)
    const bootstrap = [...honest.flatMap((node) => node.addresses()), silent.address]
    // Every answer is audited, so that a short run has many audits.
    const parameters = { auditAllowanceTokens: 1e6, auditFloor: 1 }
    const client = await network.client({ bootstrap, reputation: { parameters } })
    await client.models()

    const requests = short ? REQUESTS.short : REQUESTS.full
    for (let count = 0; count < requests; count++) {
      const messages = [{ role: 'user' as const, content: `question ${count}` }]
      await client.chat({ messages, shareable: true, signal }).result()
    }
    const audited = (): number =>
      client.standing().reduce((sum, { auditedTokens }) => sum + auditedTokens, 0) / TOKENS / requests
    const until = performance.now() + ENOUGH_MS
    while (audited() < AUDITED && performance.now() < until) await sleep(50, undefined, { signal })
    note(`${Math.round(100 * audited())} % of ${requests} answers audited; the silent node was asked ${asked} times`)
    return [
      { metric: 'times that the client asked the silent node', value: asked, limit: { atLeast: 1 } },
      { metric: 'answers audited at once, %', value: 100 * audited(), limit: { atLeast: 100 * AUDITED } }
    ]
  }
}
