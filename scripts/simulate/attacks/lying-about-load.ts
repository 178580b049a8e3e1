import type { Attack } from './attack.ts'

/** Always reports an empty queue and no wait, to attract requests. No client can check the queue. */
export const lyingAboutLoad: Attack = {
  name: 'lying about load',
  begin({ malicious }) {
    for (const { peer } of malicious) {
      peer.reportedLoad = ({ slots }) => ({ active: 0, queued: 0, slots, estimatedWaitMs: 0 })
    }
  }
}
