import { HONEST } from '../world/audit.ts'
import type { Attack } from './attack.ts'

/** Cheats in a random half of the answers. Audits then find only half of the evidence. */
export const camouflage: Attack = {
  name: 'camouflage',
  begin({ malicious, cheats, random }) {
    for (const member of malicious) {
      const cheat = random.pick(cheats)
      member.serves = () => (random.chance(0.5) ? cheat : HONEST)
    }
  }
}
