/** What the attacker of a siege does over and over, at a bounded rate. */
import type { Attack } from '../attack.ts'

/** Addresses with `/p2p/…`. */
export interface SiegeTarget {
  relay: readonly string[]
  /** The addresses of each node. */
  nodes: readonly (readonly string[])[]
}

/** Attacks until the signal fires. Failures of single steps are expected, and do not end it. */
export type Assault = (target: SiegeTarget, signal: AbortSignal) => Promise<void>

/** What a file in `scenarios/` exports. A scenario with an assault also takes part in the siege. */
export interface Scenario {
  attack: Attack
  assault?: Assault
}
