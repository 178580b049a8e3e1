import { createClient, type Client, type ClientOptions } from '@potluck/client'
import { PotluckError, type ErrorCode, type ModelCard } from '@potluck/protocol'

import { sayHello, type Script } from '../../e2e/client/script.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack, Outcome } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
const HONEST = 3
/** Clients that know no node yet, for each weapon. */
const CLIENTS = { short: 4, full: 20 }
const MOST_CLIENTS = 60
const REQUESTS = { short: 8, full: 40 }

async function afterAccepted(script: Script, code: ErrorCode): Promise<void> {
  await script.accept()
  await script.delta('A')
  await script.error(code)
}

/** What the attacker's node does with a request. */
const WEAPONS: Readonly<Record<string, (script: Script) => Promise<void>>> = {
  invalid_request: async (script) => await script.error('invalid_request'),
  context_length_exceeded: async (script) => await script.error('context_length_exceeded'),
  caller_stalled: async (script) => await script.error('caller_stalled'),
  'invalid_request after a token': async (script) => await afterAccepted(script, 'invalid_request'),
  'caller_stalled after a token': async (script) => await afterAccepted(script, 'caller_stalled'),
  unsupported: async (script) => await script.error('unsupported'),
  model_not_found: async (script) => await script.error('model_not_found'),
  draining: async (script) => await script.error('draining'),
  busy: async (script) => await script.error('busy', 1)
}
/** The codes that an honest node sends too, so they are not blamed, but remembered. */
const HONEST_CODES: ReadonlySet<string> = new Set(['unsupported', 'model_not_found', 'draining', 'busy'])

export const attack: Attack = {
  title: 'answers every request with an error that fails it, or that costs nothing and delays it',
  cost: 'one key',
  before: '40 of 40 requests failed with invalid_request or context_length_exceeded, without a penalty',

  async run({ short, note }) {
    const clients = short ? CLIENTS.short : CLIENTS.full
    const requests = short ? REQUESTS.short : REQUESTS.full
    await using network = new AttackedNetwork()
    const engine = (): ScriptedEngine => new ScriptedEngine()
    const honest = await Promise.all(Array.from({ length: HONEST }, async () => await network.node({}, engine())))
    const liar = await network.hostile({ models: [boastfulCard(engine())] }, sayHello)
    const options = {
      libp2p: await network.app(),
      bootstrap: [...honest.flatMap((node) => node.addresses()), liar.address]
    }
    const total = { failed: 0, unblamed: 0, repeated: 0, unused: 0 }
    for (const [weapon, serve] of Object.entries(WEAPONS)) {
      liar.serve = serve
      let failed = 0
      let met = 0
      // Chance decides whether a new client asks the node.
      for (let count = 0; count < clients || (met === 0 && count < MOST_CLIENTS); count++) {
        liar.requests.length = 0
        const { failures, blamed } = await ask(options, count === 0 ? requests : 1, liar.peer)
        failed += failures
        if (liar.requests.length > 0) met++
        if (liar.requests.length > 0 && !blamed && !HONEST_CODES.has(weapon)) total.unblamed++
        total.repeated = Math.max(total.repeated, liar.requests.length)
      }
      note(`${weapon}: ${failed} failed requests, ${met} clients met the node`)
      if (met === 0) total.unused++
      total.failed += failed
    }
    return [
      { metric: 'weapons that no client met', value: total.unused, limit: { atMost: 0 } },
      { metric: 'requests that failed with an error of the node', value: total.failed, limit: { atMost: 0 } },
      { metric: 'clients that met the node and did not blame it', value: total.unblamed, limit: { atMost: 0 } },
      {
        metric: `of ${requests} requests of one client, those that asked the node`,
        value: total.repeated,
        limit: { atMost: 3 }
      }
    ] satisfies Outcome[]
  }
}

/** The attacker claims the longest context, so that its refusal as too long excludes as many nodes as possible. */
function boastfulCard({ model: served, backend: { schedule } }: ScriptedEngine): ModelCard {
  const { digest, name, architecture, parameters, quantization, features, sizeBytes } = served
  const claims = { contextLength: 1e6, prefillTokensPerSecond: 1e7, decodeTokensPerSecond: 1e7 }
  return { digest, name, architecture, parameters, quantization, features, sizeBytes, schedule, ...claims }
}

/** A new client sends the requests one after the other. */
async function ask(
  options: ClientOptions,
  requests: number,
  liar: string
): Promise<{ failures: number; blamed: boolean }> {
  const client: Client = await createClient(options)
  let failures = 0
  try {
    await client.models()
    for (let count = 0; count < requests; count++) {
      await client
        .chat({ messages: MESSAGES, maxTokens: 8 })
        .result()
        .catch((error: unknown) => {
          // The node sent a token that is not from the model, and left: `poisoned-handover` plays this.
          const isForged = error instanceof PotluckError && error.code === 'continuation_rejected'
          if (!isForged) failures++
        })
    }
    const blamed = client.explain(liar).some((line) => /violated|refused/.test(line))
    return { failures, blamed }
  } finally {
    await client.stop()
  }
}
