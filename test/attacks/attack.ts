/** The form of every attack in `scenarios/`. Each of them is a real adversary against real nodes and clients. */

export interface Attack {
  /** What the attacker does, as one sentence. */
  title: string
  /** What the attack costs the attacker: keys, connections, time. */
  cost: string
  /** What the attack achieved before the defence existed, as the reviewer measured it. */
  before: string
  /** The reason why this machine cannot play the attack. Undefined or absent: it can. */
  unavailable?: () => string | undefined
  /** Plays the attack, cleans up, and measures what it achieved. */
  run: (context: AttackContext) => Promise<readonly Outcome[]>
}

export interface AttackContext {
  /** Plays a short form, for `npm test`: the same attacker and the same limits, with fewer rounds. */
  short: boolean
  /** How long the siege lasts, unless it is short. */
  minutes: number
  /** Aborts on Ctrl-C. */
  signal: AbortSignal
  /** Prints progress for a person. */
  note: (text: string) => void
}

/** One measured result of an attack. The defence holds if the value is within the limit. */
export interface Outcome {
  /** What was measured, with its unit: "honest requests answered, %". */
  metric: string
  value: number
  limit: { atMost: number } | { atLeast: number }
}

export function holds({ value, limit }: Outcome): boolean {
  return 'atMost' in limit ? value <= limit.atMost : value >= limit.atLeast
}

export function describeLimit({ limit }: Outcome): string {
  return 'atMost' in limit ? `at most ${limit.atMost}` : `at least ${limit.atLeast}`
}
