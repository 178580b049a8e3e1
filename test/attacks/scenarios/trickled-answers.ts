import { setTimeout as sleep } from 'node:timers/promises'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { maliciousNode } from '../malicious-node.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST = 'The sun is the largest body in the solar system, and it is a star.'
/** The token of the scripted engine that ends a turn. */
const END = 257
const HONEST_TOKEN_MS = 2
/**
 * The attacker's node sends a token in this time. In the short form, the client has less patience in the same ratio.
 */
const PACE = { short: { tokenMs: 1_200, timeoutMs: 1_500 }, full: { tokenMs: 4_000, timeoutMs: 20_000 } }
/** The user trusts the node, and it claims to be fast, so it is soon asked first. */
const MOST_TRIES = 40

export const attack: Attack = {
  title: 'claims to be the fastest node, and then sends one token every few seconds',
  cost: 'one key',
  before: 'an answer of 67 tokens took 268 s, and the node lost nothing if the user gave up',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const before = async (): Promise<void> => await sleep(HONEST_TOKEN_MS)
    const engineOf = (): ScriptedEngine => new ScriptedEngine({ reply: () => HONEST, before })
    const engine = engineOf()
    const honest = [await network.node({}, engineOf()), await network.node({}, engineOf())]
    const { tokenMs, timeoutMs } = short ? PACE.short : PACE.full
    let begun = 0
    const attacker = await maliciousNode(network, engine, async (call) => {
      if (call.request.continuation !== undefined) return await call.error('busy')
      begun++
      await call.accept(await engine.tokenize(call.request.input))
      for (const byte of Buffer.from(HONEST)) {
        await call.delta([byte], String.fromCharCode(byte))
        await sleep(tokenMs, undefined, { signal })
      }
      await call.delta([END], '')
      await call.done('stop')
    })
    const client = await network.client({
      bootstrap: [...honest.flatMap((node) => node.addresses()), attacker.address],
      trusted: [attacker.peer],
      timeouts: { tokenMs: timeoutMs }
    })
    for await (const _ of client.nodes());
    let seconds = 0
    let answered = true
    for (let asked = 0; begun === 0 && asked < MOST_TRIES; asked++) {
      const prompt = `${asked}. Which is the largest body in the solar system?`
      const startedAt = performance.now()
      const { text, metadata } = await client.complete({ prompt, temperature: 0, maxTokens: 100, signal }).result()
      seconds = (performance.now() - startedAt) / 1000
      answered &&= text === HONEST
      if (begun > 0)
        note(`the answer took ${seconds.toFixed(1)} s: ${metadata.failures.map(({ code }) => code).join()}`)
    }
    return [
      { metric: 'answers that the node began', value: begun, limit: { atLeast: 1 } },
      {
        metric: 'time of its answer / time of its first 10 tokens',
        value: seconds / (tokenMs / 100),
        limit: { atMost: 1 }
      },
      { metric: 'answers that failed', value: answered ? 0 : 1, limit: { atMost: 0 } },
      {
        metric: 'clients of 1 that blame the node',
        value: Number(client.explain(attacker.peer).some((line) => line.includes('stalled'))),
        limit: { atLeast: 1 }
      }
    ]
  }
}
