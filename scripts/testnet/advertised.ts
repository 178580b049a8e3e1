import type { PotluckNode } from '../../node/index.ts'

/**
 * Resolves when the node next advertises itself. Call it right after `startNode`, so that it cannot miss the first
 * advertisement: the node knows no peer yet.
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
