import { HONEST } from '../world/audit.ts'
import type { Attack } from './attack.ts'

/** Honest answers to each client before the first cheat. A client's probation takes fewer answers. */
const HONEST_ANSWERS = 10

/** Answers each client honestly until the client trusts the node, and then cheats in every answer. */
export const traitors: Attack = {
  name: 'traitors',
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
