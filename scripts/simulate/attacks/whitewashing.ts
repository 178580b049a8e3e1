import type { Attack } from './attack.ts'
import { liars } from './liars.ts'

/** Liars that take a new key after every answer. Evidence against the old key is then useless. */
export const whitewashing: Attack = {
  name: 'whitewashing',
  begin(context) {
    liars.begin(context)
    let keys = 0
    for (const member of context.malicious) {
      member.answered = () => {
        member.peer.key = `washed-${keys++}`
      }
    }
  }
}
