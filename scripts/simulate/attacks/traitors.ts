import { HONEST } from '../world/audit.ts'
import type { Attack } from './attack.ts'

/** Answers that each client gets honestly first: more than its probation. */
const HONEST_ANSWERS = 10

/** Earns each client's trust, then spends it. */
export const traitors: Attack = {
  name: 'traitors',
  about: `honest for a client's first ${HONEST_ANSWERS} answers, never after`,
  begin({ malicious, cheats, random }) {
    for (const member of malicious) {
      const cheat = random.pick(cheats)
      const given = new Map<string, number>()
      member.serves = (client) => {
        const count = (given.get(client) ?? 0) + 1
        given.set(client, count)
        return count > HONEST_ANSWERS ? cheat : HONEST
      }
    }
  }
}
