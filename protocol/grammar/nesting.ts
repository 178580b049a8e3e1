import { MAX_SCHEMA_DEPTH } from './limits.ts'
import type { GrammarNode } from './machine.ts'

/**
 * Computes the `nesting` of each node, and looks for a node that begins with itself: it would never accept a byte.
 *
 * @param nodes each after its parts, except for references to an enclosing node; the `nesting` of all is Infinity
 * @returns a node that begins with itself, if there is one
 */
export function measureNesting(nodes: readonly GrammarNode[]): GrammarNode | undefined {
  // Relaxation, as for shortest paths. A node without a finite text stays at Infinity. References to an enclosing node
  // need one more pass for each level.
  for (let pass = 0, changed = true; changed && pass < MAX_SCHEMA_DEPTH; pass++) {
    changed = false
    for (const node of nodes) {
      const nesting = node.measure()
      changed ||= nesting !== node.nesting
      node.nesting = nesting
    }
  }
  const open = new Set<GrammarNode>()
  const sound = new Set<GrammarNode>()
  const findCycle = (node: GrammarNode): GrammarNode | undefined => {
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
