import type { Attack } from './attack.ts'

/** How much slower than an honest node each malicious node really is. */
const SLOWDOWN = 4
const CLAIMED = 1e7

/** Claims absurd rates, and always an empty queue. In truth the nodes are slow. They answer honestly. */
export const falseClaims: Attack = {
  name: 'false claims',
  begin({ malicious }) {
    for (const member of malicious) {
      member.claims = { prefillTokensPerSecond: CLAIMED, decodeTokensPerSecond: CLAIMED }
      member.peer.slowdown = SLOWDOWN
      member.peer.reportedLoad = ({ slots }) => ({ active: 0, queued: 0, slots, estimatedWaitMs: 0 })
    }
  }
}
