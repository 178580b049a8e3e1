import { MAX_SCHEMA_DEPTH } from './limits.ts'
import type { Node } from './machine.ts'

/**
 * Finds how deep each node is at least, and whether one begins with itself, so that it would never take a byte.
 *
 * @param nodes their parts before them, but for references within what they refer to; all infinitely deep
 * @returns a node that begins with itself, if there is one
 */
export function settle(nodes: readonly Node[]): Node | undefined {
  // From above, as shortest paths are found: what has no end stays infinite. References within what they
  // refer to take another pass for every level.
  for (let pass = 0, changed = true; changed && pass < MAX_SCHEMA_DEPTH; pass++) {
    changed = false
    for (const node of nodes) {
      const nesting = node.measure()
      changed ||= nesting !== node.nesting
      node.nesting = nesting
    }
  }
  const open = new Set<Node>()
  const sound = new Set<Node>()
  const findCycle = (node: Node): Node | undefined => {
    if (sound.has(node)) return undefined
    if (open.has(node)) return node
    open.add(node)
    for (const head of node.heads()) {
      const cycle = findCycle(head)
      if (cycle !== undefined) return cycle
    }
    open.delete(node)
    sound.add(node)
    return undefined
  }
  for (const node of nodes) {
    const cycle = findCycle(node)
    if (cycle !== undefined) return cycle
  }
  return undefined
}
