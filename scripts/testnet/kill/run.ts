/** One answer twice, at the same seed: whole, and with its node killed in the middle. */
import { crumb } from '../../../node/models/crumb.ts'
import { clientOf } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import { endless, isSameAnswer, strikeAt } from './strike.ts'
import type { KillView } from './view.ts'

export interface KillOptions {
  nodes: number
  prompt: string
}

const ANSWER_TOKENS = 240
/** Early enough that most of the answer is still to come: the node is ahead of its reader by what the credit allows. */
const KILL_AFTER_TOKENS = 48

/** Resolves to whether the answer went on as if nothing had happened. */
export async function runKill({ nodes, prompt }: KillOptions, view: KillView, signal: AbortSignal): Promise<boolean> {
  const fleet = await startFleet({
    nodes: Array.from({ length: nodes }, (_, index) => {
      return { name: `node-${index + 1}`, role: 'node', crumb: 'Q8_0', slots: 2 } as const
    }),
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  try {
    const client = await clientOf(fleet, signal)
    try {
      const input = { model: crumb.Q8_0.name, messages: [{ role: 'user' as const, content: prompt }] }
      const [seed = 0n] = crypto.getRandomValues(new BigUint64Array(1))
      const ask = { ...(await endless(client, input)), seed, maxTokens: ANSWER_TOKENS, signal }
      const whole = await client.chat(ask).result()
      view.prompt(prompt, seed)
      let killed = ''
      const { result, failure, struck, gapMs } = await strikeAt(client.chat(ask), {
        fleet,
        cut: KILL_AFTER_TOKENS,
        strike: (node) => {
          node.kill('SIGKILL')
          killed = node.name
          view.killed(node.name)
        },
        onPart: (part) => {
          if (part.type === 'delta') view.text(part.text)
          const goesOn = part.type === 'accepted' && killed !== ''
          if (goesOn) view.goesOn(fleet.nodes.find(({ peerId }) => peerId === part.peerId)?.name ?? part.peerId)
        }
      })
      const same = result !== undefined && isSameAnswer(result, whole)
      view.summary({ killed: struck?.name, failure, gapMs, result, same })
      return same && gapMs !== undefined
    } finally {
      await client.stop()
    }
  } finally {
    await fleet.stop()
  }
}
