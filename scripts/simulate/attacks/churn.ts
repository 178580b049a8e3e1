import type { Attack } from './attack.ts'

const UP_MS = 15 * 60_000
const DOWN_MS = 2 * 60_000

/**
 * Not an attack: users switch nodes off in the middle of an answer. A node is up for 15 minutes and down for two
 * minutes, on average, and comes back with an empty cache.
 */
export const churn: Attack = {
  name: 'churn',
  begin({ malicious, clock, random }) {
    for (const { peer } of malicious) {
      const rise = (): void => {
        peer.alive = true
        clock.after(random.exponential(UP_MS), fall)
      }
      const fall = (): void => {
        peer.die()
        clock.after(random.exponential(DOWN_MS), rise)
      }
      clock.after(random.exponential(UP_MS), fall)
    }
  }
}

/** The share of the time in which a peer is up, on average. */
export const CHURN_SHARE: number = UP_MS / (UP_MS + DOWN_MS)
