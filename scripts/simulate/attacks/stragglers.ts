import type { Attack } from './attack.ts'

const FACTOR = 8
const SLOW_MS = 3 * 60_000
const WELL_MS = 3 * 60_000

/**
 * Not an attack: the user starts a game, or a laptop gets hot. The node is eight times slower for three minutes on
 * average, then as fast as before for the same time.
 */
export const stragglers: Attack = {
  name: 'stragglers',
  begin({ malicious, clock, random }) {
    for (const { peer } of malicious) {
      const turn = (slow: boolean): void => {
        peer.slowdown = slow ? FACTOR : 1
        clock.after(random.exponential(slow ? SLOW_MS : WELL_MS), () => turn(!slow))
      }
      turn(random.chance(0.5))
    }
  }
}

/** Mean speed of a straggler, as a share of its full speed. */
export const STRAGGLER_SHARE: number = 0.5 + 0.5 / FACTOR
