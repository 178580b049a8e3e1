/** Sends one prompt through a new network. Shows what the nodes advertised, the answer, and its timings. */
import { createClient } from '@potluck/client'
import { crumb } from '../../../node/models/crumb.ts'
import { findNodes } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import type { NodeSpec } from '../messages.ts'
import type { PromptView } from './view.ts'

export interface PromptOptions {
  nodes: number
  prompt: string
}

/** The third node serves the smaller file, so that the table shows two digests. */
function specs(count: number): NodeSpec[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `node-${index + 1}`,
    role: 'node',
    crumb: index === 2 ? 'Q4_0' : 'Q8_0',
    slots: 2
  }))
}

export async function runPrompt(
  { nodes, prompt }: PromptOptions,
  view: PromptView,
  signal: AbortSignal
): Promise<void> {
  const begin = performance.now()
  const fleet = await startFleet({
    nodes: specs(nodes),
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  try {
    const client = await createClient({ bootstrap: [...fleet.relay.addresses], scope: 'local', mdns: false, signal })
    try {
      const findBegin = performance.now()
      view.nodes(await findNodes(client, nodes, signal), performance.now() - findBegin)
      view.prompt(prompt)
      const answer = client.chat({
        model: crumb.Q8_0.name,
        messages: [{ role: 'user', content: prompt }],
        signal
      })
      let firstToken = 0
      for await (const part of answer) {
        if (part.type !== 'delta') continue
        firstToken ||= performance.now() - begin
        view.text(part.text)
      }
      view.summary(await answer.result(), firstToken)
    } finally {
      await client.stop()
    }
  } finally {
    await fleet.stop()
  }
}
