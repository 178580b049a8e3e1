import type { Attack } from './attack.ts'

/** Each serves one cheaper file for all answers, and claims twice its speed. */
export const liars: Attack = {
  name: 'liars',
  about: 'another file behind every answer',
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
