import type { Attack } from './attack.ts'

/** Always idle, they say: it brings requests, and nobody can look into their queues. */
export const lyingAboutLoad: Attack = {
  name: 'lying about load',
  about: 'tells an empty queue and no wait',
  begin({ malicious }) {
    for (const { peer } of malicious) {
      peer.tell = ({ slots }) => ({ active: 0, queued: 0, slots, estimatedWaitMs: 0 })
    }
  }
}
