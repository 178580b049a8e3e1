/** Draws the nodes that check a vector. */
import { subnetOf } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'

import type { RankedCandidate } from '../select/index.ts'

/**
 * Returns up to `count` of the nodes, by lot. Nodes in a subnet of the checked node, or of a node drawn before, come last,
 * because they can belong to the same owner.
 *
 * @param random uniform in [0, 1)
 */
export function drawPanel(
  checked: RankedCandidate,
  others: readonly RankedCandidate[],
  count: number,
  random: () => number
): RankedCandidate[] {
  const taken = new Set(subnetsOf(checked))
  const drawn = others.map((one) => ({ one, chance: random() })).sort((a, b) => a.chance - b.chance)
  const last: RankedCandidate[] = []
  const first = drawn.flatMap(({ one }) => {
    const subnets = subnetsOf(one)
    if (subnets.some((subnet) => taken.has(subnet))) {
      last.push(one)
      return []
    }
    for (const subnet of subnets) taken.add(subnet)
    return [one]
  })
  return [...first, ...last].slice(0, count)
}

/** A node can claim further addresses, but the client reached it at one of these. */
function subnetsOf({ node }: RankedCandidate): string[] {
  return node.card.addresses.flatMap((address) => subnetOf(multiaddr(address)) ?? [])
}
