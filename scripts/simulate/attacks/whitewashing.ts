import type { Attack } from './attack.ts'
import { liars } from './liars.ts'

/** Liars that take a new key after every answer: no evidence ever finds the one that it is about. */
export const whitewashing: Attack = {
  name: 'whitewashing',
  about: 'liars with a new key after every answer',
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
