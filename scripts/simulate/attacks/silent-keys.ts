import type { Attack } from './attack.ts'

/** Nodes with genuine cards that accept every request and never answer. */
export const silentKeys: Attack = {
  name: 'silent keys',
  begin({ malicious }) {
    for (const { peer } of malicious) peer.silent = true
  }
}
