/** Requests the same answer twice, with the same seed. The second time, kills the node in the middle of the answer. */
import type { AnswerResult, ChatOptions, Client } from '@potluck/client'

import { crumb } from '../../../node/models/crumb.ts'
import { clientOf } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import { interruptAnswer, isSameAnswer, withoutEndOfTurn } from './interrupt.ts'
import type { KillView } from './view.ts'

export interface KillOptions {
  nodes: number
  prompt: string
}

/** Early in the answer: with a credit of 256 tokens, the node could send the rest before a later kill. */
const KILL_AFTER_TOKENS = 24
/** Tokens of an answer that is long enough for a kill in the middle. crumb's stories have about 110. */
const LEAST_TOKENS = 90
const MOST_TOKENS = 240
/** Some prompts have only short answers. */
const MOST_SEEDS = 8

/** Resolves to whether another node continued the answer, and the result equals the uninterrupted answer. */
export async function runKill({ nodes, prompt }: KillOptions, view: KillView, signal: AbortSignal): Promise<boolean> {
  const fleet = await startFleet({
    nodes: Array.from({ length: nodes }, (_, index) => {
      return { name: `node-${index + 1}`, role: 'node', crumb: 'Q8_0', slots: 2 } as const
    }),
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  try {
    const client = await clientOf(fleet, { signal })
    try {
      const { request, uninterrupted } = await longAnswer(client, prompt, signal)
      view.prompt(prompt, request.seed)
      let killed = ''
      const { result, failure, node, gapMs } = await interruptAnswer(client.chat(request), {
        fleet,
        afterTokens: KILL_AFTER_TOKENS,
        interrupt: (member) => {
          member.kill('SIGKILL')
          killed = member.name
          view.killed(member.name)
        },
        onPart: (part) => {
          if (part.type === 'delta') view.text(part.text)
          if (part.type !== 'accepted' || killed === '') return
          view.continued(fleet.nodes.find(({ peerId }) => peerId === part.peerId)?.name ?? part.peerId)
        }
      })
      const same = result !== undefined && isSameAnswer(result, uninterrupted)
      view.summary({ killed: node?.name, failure, gapMs, result, same })
      return same && gapMs !== undefined
    } finally {
      await client.stop()
    }
  } finally {
    await fleet.stop()
  }
}

interface LongAnswer {
  request: ChatOptions & { seed: bigint }
  uninterrupted: AnswerResult
}

/**
 * Finds a seed whose answer is long enough. If there is none, forbids the end of the answer, which then continues with
 * anything.
 */
async function longAnswer(client: Client, prompt: string, signal: AbortSignal): Promise<LongAnswer> {
  const input = { model: crumb.Q8_0.name, messages: [{ role: 'user' as const, content: prompt }] }
  const seeds = crypto.getRandomValues(new BigUint64Array(MOST_SEEDS))
  for (const seed of seeds) {
    const request = { ...input, seed, maxTokens: MOST_TOKENS, signal }
    const uninterrupted = await client.chat(request).result()
    if (uninterrupted.tokens.length >= LEAST_TOKENS) return { request, uninterrupted }
  }
  const [seed = 0n] = seeds
  const request = { ...(await withoutEndOfTurn(client, input)), seed, maxTokens: MOST_TOKENS, signal }
  return { request, uninterrupted: await client.chat(request).result() }
}
