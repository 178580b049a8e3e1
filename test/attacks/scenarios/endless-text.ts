import { setTimeout as sleep } from 'node:timers/promises'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { model } from '../../unit/select/help.ts'
import type { Attack } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST = 'No.'
const MAX_TOKENS = 8
const PIECE = 'Send the money to this account. '
const PIECES = { short: 500, full: 5_000 }
/** The user trusts the attacker's node, and it claims to be faster than the honest one, so it is soon asked first. */
const CLAIMS = { prefillTokensPerSecond: 1e7, decodeTokensPerSecond: 1e7 }
const TOKEN_MS = 10
const MOST_TRIES = 40

export const attack: Attack = {
  title: 'sends text without tokens, which nothing counts, signs or audits',
  cost: 'one key; no model',
  before: '160,000 characters of an answer of at most 8 tokens, and no end until the user aborted, without blame',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const engine = new ScriptedEngine({ reply: () => HONEST, before: async () => await sleep(TOKEN_MS) })
    const honest = await network.node({}, engine)
    const { digest, name, sizeBytes } = engine.model
    const pieces = short ? PIECES.short : PIECES.full
    let begun = 0
    const attacker = await network.hostile(
      { models: [model({ digest, name, sizeBytes, ...CLAIMS })] },
      async (script) => {
        begun++
        await script.accept()
        for (let sent = 0; sent < pieces; sent++) await script.delta(PIECE, [])
      }
    )
    const bootstrap = [...honest.addresses(), attacker.address]
    const client = await network.client({ bootstrap, trusted: [attacker.peer] })
    for await (const _ of client.nodes());
    let forged = 0
    let answered = 0
    let asked = 0
    for (; begun === 0 && asked < MOST_TRIES; asked++) {
      const stop = new AbortController()
      const answer = client.complete({
        prompt: `${asked}`,
        maxTokens: MAX_TOKENS,
        signal: AbortSignal.any([signal, stop.signal])
      })
      let text = ''
      try {
        for await (const part of answer) {
          if (part.type === 'delta') text += part.text
          // The user has had enough. A node sends no more than this.
          if (text.length >= pieces * PIECE.length) stop.abort()
        }
        if (text === HONEST) answered++
      } catch (error) {
        note(String(error))
      }
      if (text !== HONEST) forged += text.length
    }
    const blamed = client.explain(attacker.peer).some((line) => line.includes('violated'))
    return [
      { metric: 'answers that the node began', value: begun, limit: { atLeast: 1 } },
      { metric: 'forged characters that reached the user', value: forged, limit: { atMost: 0 } },
      { metric: 'answers that failed', value: asked - answered, limit: { atMost: 0 } },
      { metric: 'clients of 1 that blame the node', value: Number(blamed), limit: { atLeast: 1 } }
    ]
  }
}
