import { auditorOf, type PeerStanding } from '@potluck/client'
import { outputConstraintOf, PotluckError, RENDERING } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { maliciousNode, type MaliciousCall } from '../malicious-node.ts'
import { AttackedNetwork } from '../network.ts'

const PROMPT = 'What colour is the sky?'
const ANSWER_TOKENS = 40
/** Clients until one asked the node of another version first. Each of them trusts it. */
const MOST_TRIES = 20

/** Renders every prompt with one more token at its end, as a newer renderer could, and answers that prompt honestly. */
async function answerOtherRendering(call: MaliciousCall, engine: ScriptedEngine, rendering: number): Promise<void> {
  const { request } = call
  const promptTokens = [...(await engine.tokenize(request.input)), '\n'.charCodeAt(0)]
  await call.accept(promptTokens)
  const { sampling, maxTokens, stop } = request
  const constraint = outputConstraintOf(request)
  const job = { promptTokens, answerTokens: [], sampling, maxTokens, stop, constraint, credit: maxTokens }
  for await (const event of engine.generate(job)) {
    if (event.type === 'delta') await call.delta(event.delta.tokens, event.delta.text)
    if (event.type === 'done') await call.done(event.finishReason, { rendering })
  }
}

export const attack: Attack = {
  title:
    'makes a client convict an honest node that renders prompts by another version; or hides behind another version',
  cost: 'none: a release with another template renderer is enough',
  before: 'every answer of such a node was a certain violation; the first audit banned it',

  async run({ short, note }) {
    const answers = short ? 3 : 20
    const skewed = await audited(answers, RENDERING + 1)
    note(`another version: ${skewed.standing}, ${skewed.auditedTokens} audited tokens`)
    const same = await audited(answers, RENDERING)
    note(`this version with the same prompts: ${same.standing}`)
    return [
      {
        metric: 'nodes of another version that audits blame',
        value: skewed.standing === 'probationary' && skewed.evidence <= 1 ? 0 : 1,
        limit: { atMost: 0 }
      },
      {
        metric: 'audited tokens that end the probation of a node with another version',
        value: skewed.auditedTokens,
        limit: { atMost: 0 }
      },
      {
        metric: 'nodes of this version with other prompts that an audit bans',
        value: same.standing === 'banned' ? 1 : 0,
        limit: { atLeast: 1 }
      },
      {
        metric: 'nodes blamed for a beginning of another version',
        value: await blamedForBeginning(),
        limit: { atMost: 0 }
      }
    ]
  }
}

/**
 * Returns the standing of a node that answers other prompts, after audits of its answers by the client's own engine.
 */
async function audited(answers: number, rendering: number): Promise<PeerStanding> {
  await using network = new AttackedNetwork()
  const engine = new ScriptedEngine()
  const node = await maliciousNode(network, engine, async (call) => await answerOtherRendering(call, engine, rendering))
  const client = await network.client({ bootstrap: [node.address], auditor: auditorOf(new ScriptedEngine()) })
  for (let answer = 0; answer < answers; answer++) {
    // A banned node gets no more requests.
    if (client.standing().some(({ standing }) => standing === 'banned')) break
    await client.complete({ prompt: PROMPT, maxTokens: ANSWER_TOKENS }).result()
    await client.audited()
  }
  const [standing] = client.standing()
  if (standing === undefined) throw new Error('the client does not know the node')
  return standing
}

/** @throws Error if the client never asked the node of another version first */
async function blamedForBeginning(): Promise<number> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { begun, blamed } = await continued()
    if (begun) return blamed
  }
  throw new Error('the client never asked the node of another version first')
}

/** A node of another version begins an answer and stops. `blamed`: the nodes that look worse after that. */
async function continued(): Promise<{ begun: boolean; blamed: number }> {
  await using network = new AttackedNetwork()
  const engine = new ScriptedEngine()
  let begun = false
  const other = await maliciousNode(network, engine, async (call) => {
    begun ||= call.request.continuation === undefined
    await call.accept([...(await engine.tokenize(call.request.input)), 1])
    await call.delta([...Buffer.from('It is')], 'It is')
    await call.error('draining')
  })
  const honest = [await network.node({}, new ScriptedEngine()), await network.node({}, new ScriptedEngine())]
  const client = await network.client({
    bootstrap: [other.address, ...honest.map((node) => String(node.addresses()[0]))],
    trusted: [other.peer],
    auditor: auditorOf(new ScriptedEngine())
  })
  for await (const _ of client.nodes());
  const before = new Map(client.standing().map(({ peerId, reliability }) => [peerId, reliability]))
  await client
    .complete({ prompt: PROMPT, maxTokens: ANSWER_TOKENS })
    .result()
    .catch((error: unknown) => {
      if (!(error instanceof PotluckError)) throw error
    })
  await client.audited()
  const worse = client.standing().filter(({ peerId, reliability }) => reliability < (before.get(peerId) ?? 0))
  return { begun, blamed: worse.length }
}
