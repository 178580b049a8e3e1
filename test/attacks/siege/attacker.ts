/** The process of the attacker: runs every assault until its parent ends. Its argument is the target as JSON. */
import { loadAttacks } from '../scenarios.ts'
import type { SiegeTarget } from './assaults.ts'

const target = JSON.parse(process.argv[2] ?? '') as SiegeTarget
const ended = new AbortController()
process.on('disconnect', () => process.exit(0))
// An attacker does not care which of its streams and connections fail.
process.on('unhandledRejection', () => undefined)

for (const { assault } of (await loadAttacks()).values()) {
  if (assault === undefined) continue
  void (async () => {
    for (;;) await assault(target, ended.signal).catch(() => undefined)
  })()
}
