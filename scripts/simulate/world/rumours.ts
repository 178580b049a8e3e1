/**
 * What peers and clients tell clients. Everything arrives everywhere within a minute. A proof is a set of
 * receipts; what a re-check of it gives is worked out once, as the verdict is deterministic.
 */
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import type { AuditModel } from './audit.ts'
import type { Receipt } from './network.ts'

export interface Proof {
  /** Tokens that a re-check has to evaluate. */
  tokens: number
  /** What it finds. */
  logEvidence: number
}

export interface Listener {
  praised: (key: string) => void
  accused: (key: string, source: string, proof: Proof) => void
}

const MEAN_DELAY_MS = 20_000

export class Rumours {
  readonly #listeners: Listener[] = []
  readonly #clock: Clock
  readonly #random: Random
  readonly #model: AuditModel
  readonly #shareProofs: boolean

  constructor(clock: Clock, random: Random, model: AuditModel, { shareProofs }: { shareProofs: boolean }) {
    this.#clock = clock
    this.#random = random
    this.#model = model
    this.#shareProofs = shareProofs
  }

  listen(listener: Listener): void {
    this.#listeners.push(listener)
  }

  praise(key: string): void {
    this.#spread((listener) => listener.praised(key))
  }

  /** Receipts of one key. */
  accuse(source: string, receipts: readonly Receipt[]): void {
    const [first] = receipts
    if (first === undefined || !this.#shareProofs) return
    let evidence: ReturnType<AuditModel['audit']> | undefined
    let tokens = 0
    for (const receipt of receipts) {
      evidence = this.#model.audit(receipt.served, receipt.tokens, evidence?.evidence, this.#random)
      tokens += receipt.promptTokens + receipt.tokens
    }
    const proof = { tokens, logEvidence: evidence?.logEvidence ?? 0 }
    this.#spread((listener) => listener.accused(first.key, source, proof))
  }

  #spread(tell: (listener: Listener) => void): void {
    for (const listener of this.#listeners) {
      this.#clock.after(this.#random.exponential(MEAN_DELAY_MS), () => tell(listener))
    }
  }
}
