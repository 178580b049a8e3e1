import type { PotluckNode } from '../../node/index.ts'

/**
 * Resolves at the node's next advertisement. Call it right after `startNode`: a node cannot have advertised itself
 * before, because it knew no peer yet.
 */
export function advertised(node: PotluckNode): Promise<void> {
  return new Promise((resolve) => {
    const off = node.onEvent(({ type }) => {
      if (type !== 'advertised') return
      off()
      resolve()
    })
  })
}
