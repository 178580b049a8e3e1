import type { Attack } from './attack.ts'
import { liars } from './liars.ts'

const EVERY_MS = 60_000

/** Liars that praise each other to everybody, every minute. */
export const praise: Attack = {
  name: 'praise ring',
  about: 'liars that praise each other',
  begin(context) {
    liars.begin(context)
    const { malicious, rumours, clock } = context
    const round = (): void => {
      for (const member of malicious) rumours.praise(member.key)
      clock.after(EVERY_MS, round)
    }
    round()
  }
}
