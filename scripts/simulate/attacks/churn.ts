import type { Attack } from './attack.ts'

const UP_MS = 15 * 60_000
const DOWN_MS = 2 * 60_000

/**
 * Nodes are switched off in mid-answer and come back with an empty cache: up for 15 minutes, down for two, on
 * average.
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

/** Mean share of the time that a peer is up. */
export const CHURN_SHARE: number = UP_MS / (UP_MS + DOWN_MS)
