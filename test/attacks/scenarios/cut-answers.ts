import { setTimeout as sleep } from 'node:timers/promises'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { maliciousNode, type MaliciousCall } from '../malicious-node.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST = 'The empress tree grows fastest.'
/** The token of the scripted engine that ends a turn. */
const END = 257
const HONEST_NODES = 2
/** Honest nodes need this long for a token, milliseconds. The attacker has no model, so it is faster. */
const TOKEN_MS = 1
const REQUESTS = { short: 6, full: 40 }
/** Requests until the attacker's node gave its first answer. The user trusts it, so one or two suffice. */
const MOST_TRIES = 40

/** How the attacker's node ends an answer whose first token was right. */
const ENDS: Readonly<Record<string, (call: MaliciousCall) => Promise<void>>> = {
  // With the shortest pause that a node can ask for.
  busy: async (call) => await call.error('busy', 1),
  'bytes that are no message': async (call) => await call.garbage(),
  'tokens beyond the limit': async (call) => await call.delta([...Buffer.from('x'.repeat(1_000))], 'x'),
  'a receipt for other tokens': async (call) => await call.done('stop', { answerTokens: 2 })
}

export const attack: Attack = {
  title: 'answers one request rightly, and ends all later answers after a token, with `busy` or with broken bytes',
  cost: 'one key',
  before: '3 of 3 answers that it ended with broken bytes failed; with `busy`, it cut 8 of 40 answers without blame',

  async run({ short, note }) {
    const requests = short ? REQUESTS.short : REQUESTS.full
    const rounds = []
    for (const [name, end] of Object.entries(ENDS)) {
      const round = await play(requests, end)
      note(`${name}: ${round.cut} of ${requests} answers cut, ${round.failed} failed, blamed: ${round.blamed}`)
      rounds.push(round)
    }
    const cuts = rounds.map(({ cut }) => cut)
    return [
      {
        metric: 'ways in which the node cut an answer',
        value: cuts.filter((cut) => cut > 0).length,
        limit: { atLeast: 4 }
      },
      { metric: `of ${requests} answers, those that it cut`, value: Math.max(...cuts), limit: { atMost: 4 } },
      {
        metric: 'answers that failed',
        value: rounds.reduce((sum, { failed }) => sum + failed, 0),
        limit: { atMost: 0 }
      },
      {
        metric: 'ways that the client did not blame',
        value: rounds.filter(({ blamed }) => !blamed).length,
        limit: { atMost: 0 }
      }
    ]
  }
}

interface Round {
  cut: number
  failed: number
  blamed: boolean
}

/** A new client gets one answer of the attacker's node, and then sends the requests. */
async function play(requests: number, end: (call: MaliciousCall) => Promise<void>): Promise<Round> {
  await using network = new AttackedNetwork()
  const before = async (): Promise<void> => await sleep(TOKEN_MS)
  const engineOf = (): ScriptedEngine => new ScriptedEngine({ reply: () => HONEST, before })
  const engine = engineOf()
  const honest = await Promise.all(Array.from({ length: HONEST_NODES }, async () => await network.node({}, engineOf())))
  let isAnswered = false
  let cut = 0
  const attacker = await maliciousNode(network, engine, async (call) => {
    if (call.request.continuation !== undefined) return await call.error('busy')
    await call.accept(await engine.tokenize(call.request.input))
    if (isAnswered) {
      cut++
      await call.delta([...Buffer.from(HONEST[0]!)], HONEST[0]!)
      return await end(call)
    }
    await call.delta([...Buffer.from(HONEST), END], HONEST)
    await call.done('stop')
    isAnswered = true
  })
  const bootstrap = [...honest.flatMap((node) => node.addresses()), attacker.address]
  const client = await network.client({ bootstrap, trusted: [attacker.peer] })
  for await (const _ of client.nodes());
  let asked = 0
  const ask = async (): Promise<boolean> =>
    await client
      .complete({ prompt: `${asked++}. Which tree grows fastest?`, temperature: 0, maxTokens: 100 })
      .text()
      .then(
        (text) => text === HONEST,
        () => false
      )
  let failed = 0
  while (!isAnswered && asked < MOST_TRIES) if (!(await ask())) failed++
  for (let count = 0; count < requests; count++) if (!(await ask())) failed++
  return { cut, failed, blamed: client.explain(attacker.peer).some((line) => /violated|cut/.test(line)) }
}
