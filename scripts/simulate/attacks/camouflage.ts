import { HONEST } from '../world/audit.ts'
import type { Attack } from './attack.ts'

/** A coin for every answer: half of the work saved, and half as much evidence. */
export const camouflage: Attack = {
  name: 'camouflage',
  about: 'honest half of the time',
  begin({ malicious, cheats, random }) {
    for (const member of malicious) {
      const cheat = random.pick(cheats)
      member.serves = () => (random.chance(0.5) ? cheat : HONEST)
    }
  }
}
