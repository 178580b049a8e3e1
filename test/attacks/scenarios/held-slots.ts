import { setTimeout as sleep } from 'node:timers/promises'

import { MAX_CREDIT } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack, AttackContext, Outcome } from '../attack.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import { dial, peerAt } from '../calls.ts'
import { AttackedNetwork } from '../network.ts'

const SLOTS = 2
/** Each keeps one request open, so that two more wait whenever one ends. */
const KEYS = 4
const ANSWER_TOKENS = 50_000
/** A token of the attacker's answers takes this long, so an answer takes more than four minutes. */
const TOKEN_MS = 5
const TRICKLE_MS = 1_500

/** How the attacker holds its slots. */
const WAYS = {
  'trickling credit': 1,
  'long answers': MAX_CREDIT
} as const

export const attack: Attack = {
  title: 'holds all slots of a node, with one token at a time or with long answers',
  cost: '1 address, 4 keys; 1 token in 1.5 s for each slot, or answers of 50,000 tokens',
  before: 'no other caller got a slot, for as long as the attacker liked (a token in 29 s was enough)',

  async run(context) {
    const outcomes: Outcome[] = []
    for (const [way, credit] of Object.entries(WAYS)) {
      const { answered, slotsWhileWaiting } = await hold(credit, context)
      outcomes.push(
        { metric: `honest requests answered, %, against ${way}`, value: answered, limit: { atLeast: 100 } },
        {
          metric: `slots that ${way} got while an honest request waited`,
          value: slotsWhileWaiting,
          limit: { atMost: 0 }
        }
      )
    }
    return outcomes
  }
}

async function hold(
  credit: number,
  { short, signal, note }: AttackContext
): Promise<{ answered: number; slotsWhileWaiting: number }> {
  await using network = new AttackedNetwork()
  let honestWaits = false
  let slotsWhileWaiting = 0
  const engine = new ScriptedEngine({
    slots: SLOTS,
    contextLength: 2 * ANSWER_TOKENS,
    reply: (prompt) => (prompt === 'attack' ? 'x'.repeat(ANSWER_TOKENS) : 'Yes.'),
    before: async ({ kind, job }) => {
      const attacks = Buffer.from(job.promptTokens.slice(1)).toString() === 'attack'
      if (kind === 'token' && attacks) await sleep(TOKEN_MS)
      if (kind !== 'prefill') return
      if (!attacks) honestWaits = false
      else if (honestWaits) slotsWhileWaiting++
    }
  })
  // The same rules as by default, with shorter times.
  const limits = short ? { contestedStallMs: 1_000, contestedAnswerMs: 2_000 } : { contestedAnswerMs: 10_000 }
  const node = await network.node({ limits }, engine)
  const stop = new AbortController()
  const ended = AbortSignal.any([signal, stop.signal])
  const attackers = Array.from({ length: KEYS }, async () => {
    const connection = await dial(await peerAt(network, '127.0.1.1'), node)
    const asked = { input: { prompt: 'attack' }, maxTokens: ANSWER_TOKENS, credit }
    while (!ended.aborted) await take(await Call.open(connection, request(engine, asked)), credit === 1, ended)
  })
  const rounds = short ? 1 : 3
  let answered = 0
  try {
    while (node.load().active < SLOTS || node.load().queued === 0) await sleep(20, undefined, { signal: ended })
    const connection = await dial(await peerAt(network, '127.0.2.1'), node)
    for (let round = 0; round < rounds; round++) {
      const call = await Call.open(connection, request(engine))
      honestWaits = (await call.next())?.type === 'accepted'
      const last = await call.last().catch((error: unknown) => note(String(error)))
      if (last?.type === 'done') answered++
    }
  } finally {
    stop.abort()
    await Promise.allSettled(attackers)
  }
  return { answered: (100 * answered) / rounds, slotsWhileWaiting }
}

/** Takes the tokens of an answer until the node ends it: one by one, or all at once. */
async function take(call: Call, trickles: boolean, signal: AbortSignal): Promise<void> {
  try {
    while (!signal.aborted) {
      const frame = await raceSignal(call.next(), signal)
      if (frame?.type !== 'accepted' && frame?.type !== 'delta') return
      if (!trickles || frame.type === 'accepted') continue
      await sleep(TRICKLE_MS, undefined, { signal })
      await call.credit(1)
    }
  } catch (error) {
    // The node cuts the stream, or the attack is over.
    if (!(error instanceof Error)) throw error
  } finally {
    call.abort()
  }
}
