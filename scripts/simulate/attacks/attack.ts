/** What an attacker may do: set up the members it owns, and talk to clients. One attack, one file. */
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { Member } from '../world/network.ts'
import type { Rumours } from '../world/rumours.ts'

export interface AttackContext {
  /** The attacker's. */
  malicious: readonly Member[]
  honest: readonly Member[]
  /** Files that may be served in place of the claimed one. */
  cheats: readonly string[]
  rumours: Rumours
  clock: Clock
  random: Random
}

export interface Attack {
  name: string
  /** For the table. */
  about: string
  begin: (context: AttackContext) => void
}
