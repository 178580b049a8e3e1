import { HONEST } from '../world/audit.ts'
import type { Attack } from './attack.ts'
import { liars } from './liars.ts'

const EVERY_MS = 30_000
const ANSWER_TOKENS = 400

/**
 * Liars that accuse the honest with real receipts of theirs, each time from a new source. A forged
 * receipt would not carry the accused's signature and is refused for nothing.
 */
export const slander: Attack = {
  name: 'slander',
  about: 'liars that accuse the honest',
  begin(context) {
    liars.begin(context)
    const { honest, rumours, clock, random } = context
    let sources = 0
    const accuse = (): void => {
      const { key } = random.pick(honest)
      const receipt = { key, served: HONEST, tokens: ANSWER_TOKENS, promptTokens: 0 }
      rumours.accuse(`slanderer-${sources++}`, [receipt])
      clock.after(random.exponential(EVERY_MS), accuse)
    }
    accuse()
  }
}
