import type { Attack } from './attack.ts'

/** Each malicious node uses another model file than it claims, for all answers. It also claims twice its real speed. */
export const liars: Attack = {
  name: 'liars',
  begin({ malicious, cheats, random }) {
    for (const member of malicious) {
      const cheat = random.pick(cheats)
      member.serves = () => cheat
      const { prefillTokensPerSecond, decodeTokensPerSecond } = member.claims
      member.claims = {
        prefillTokensPerSecond: 2 * prefillTokensPerSecond,
        decodeTokensPerSecond: 2 * decodeTokensPerSecond
      }
    }
  }
}
