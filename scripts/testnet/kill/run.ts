/** Requests the same answer twice, with the same seed. The second time, kills the node in the middle of the answer. */
import { crumb } from '../../../node/models/crumb.ts'
import { clientOf } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import { interruptAnswer, isSameAnswer, withoutEndOfTurn } from './interrupt.ts'
import type { KillView } from './view.ts'

export interface KillOptions {
  nodes: number
  prompt: string
}

const ANSWER_TOKENS = 240
/** Early in the answer: with a credit of 256 tokens, the node could send the rest before a later kill. */
const KILL_AFTER_TOKENS = 48

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
      const input = { model: crumb.Q8_0.name, messages: [{ role: 'user' as const, content: prompt }] }
      const [seed = 0n] = crypto.getRandomValues(new BigUint64Array(1))
      const request = { ...(await withoutEndOfTurn(client, input)), seed, maxTokens: ANSWER_TOKENS, signal }
      const uninterrupted = await client.chat(request).result()
      view.prompt(prompt, seed)
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
