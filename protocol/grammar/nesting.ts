import { MAX_SCHEMA_DEPTH } from './limits.ts'
import type { GrammarNode } from './machine.ts'

/**
 * Computes the `nesting` of each node, and looks for a node that begins with itself. Such a node would never accept a
 * byte.
 *
 * @param nodes the nodes to measure; the `nesting` of each is Infinity. Each node comes after the nodes within it. Only
 *   a reference to an enclosing node comes later, after that node
 * @returns a node that begins with itself; undefined if there is none
 */
export function measureNesting(nodes: readonly GrammarNode[]): GrammarNode | undefined {
  // As in the Bellman-Ford algorithm, each pass improves the values. A node without a finite text stays at Infinity.
  // Each level of references to an enclosing node needs one more pass.
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
