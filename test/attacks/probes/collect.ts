/** A user, its client, and the attacker's nodes, which note every request. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Client } from '@potluck/client'
import {
  AUDIT_PROTOCOL,
  decodeAuditRequest,
  decodeClientFrame,
  encodeAuditReply,
  encodeRequest,
  FrameStream,
  MAX_FRAME_BYTES
} from '@potluck/protocol'
import { toHex } from 'multiformats/bytes'

import { FakeNode } from '../../e2e/client/fake-node.ts'
import { WAIT, type Script } from '../../e2e/client/script.ts'
import { seeded } from '../../seeded.ts'
import { model } from '../../unit/select/help.ts'
import type { AttackContext } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'
import { textsOf, type Seen } from './features.ts'
import { readSentences, User } from './user.ts'

/** The nodes of the attacker. Two of them audit the third. */
const NODES = 3

export interface Collected {
  /** All requests, in the order of their arrival. */
  seen: readonly Seen[]
  /** For each request: it can be audited by other nodes. */
  auditable: readonly boolean[]
}

export interface CollectOptions {
  /** The share of the conversations that the user marks as shareable, by chance. */
  shared: number
  /** Requests of each kind. */
  count: number
  /** The factor of all pauses of the user. Pauses matter only if there are probes. */
  pace: number
}

/** Lets the user ask until the nodes have seen enough requests of both kinds. */
export async function collect(
  { shared, count, pace }: CollectOptions,
  { signal, note }: AttackContext
): Promise<Collected> {
  const random = seeded(2)
  await using network = new AttackedNetwork()
  const relay = await network.relay()
  const audited = new Set<string>()
  const seen: Seen[] = []
  const nodes = await Promise.all(
    Array.from(
      { length: NODES },
      async () =>
        await FakeNode.start({
          models: [model({ features: ['chat', 'json', 'tools', 'score'] })],
          bootstrap: relay.addresses()[0]!
        })
    )
  )
  await using _nodes = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(nodes.map(async (node) => await node.stop())))
  }
  const answers = readSentences().filter(({ length }) => length < 200)
  for (const [index, node] of nodes.entries()) {
    let cards = 0
    node.serve = async (script) => {
      const startedAt = performance.now()
      const one: Seen = {
        request: script.request,
        bytes: encodeRequest(script.request).bytes.byteLength,
        node: index,
        startedAt,
        endedAt: Infinity,
        cards: node.cardsGiven - cards
      }
      cards = node.cardsGiven
      seen.push(one)
      await answer(script, answers[Math.floor(random() * answers.length)] as string)
      one.endedAt = performance.now()
    }
    await node.libp2p.handle(AUDIT_PROTOCOL, async (stream) => {
      const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
      const bytes = await frames.receive(WAIT)
      if (bytes === undefined) return
      const { answer: record } = decodeAuditRequest(bytes)
      const frame = decodeClientFrame(record.request)
      if (frame.type === 'request') audited.add(toHex(frame.request.requestId))
      const result = {
        comparable: true,
        violations: [],
        measured: record.answerTokens.map(() => ({ margin: 0, gap: 1 }))
      }
      await frames.send(encodeAuditReply({ type: 'result', result }), WAIT)
      await frames.close()
    })
  }
  // With the usual budget, the measurement would take days.
  const parameters = { auditBudget: 1, auditAllowanceTokens: 1e9 }
  const client = await network.client({ bootstrap: relay.addresses(), reputation: { parameters } })
  const asked = new Set<string>()
  const isAuditable = ({ request }: Seen): boolean =>
    shared > 0 ? audited.has(toHex(request.requestId)) : !asked.has(textsOf(request.input))
  const user = new User(random, pace)
  for (
    let auditable = 0;
    Math.min(auditable, seen.length - auditable) < count;
    auditable = seen.filter(isAuditable).length
  ) {
    signal.throwIfAborted()
    await converse(client, user, { shareable: random() < shared, asked })
  }
  await client.audited()
  note(`${seen.length} requests, ${seen.filter(isAuditable).length} of them can be audited`)
  return { seen, auditable: seen.map(isAuditable) }
}

async function converse(
  client: Client,
  user: User,
  { shareable, asked }: { shareable: boolean; asked: Set<string> }
): Promise<void> {
  const conversation = user.conversation()
  for (let next = conversation.next(''); next.done !== true;) {
    const { options, pauseMs } = next.value
    await sleep(pauseMs)
    asked.add(textsOf(options))
    next = conversation.next(await client.chat({ ...options, shareable }).text())
  }
}

async function answer(script: Script, text: string): Promise<void> {
  await script.accept()
  const count = Math.min(script.request.maxTokens, Math.ceil(text.length / 4))
  await script.delta(
    text,
    Array.from({ length: count }, (_, index) => index + 10)
  )
  await script.done()
}
