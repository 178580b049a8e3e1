/**
 * Fraud proofs of others that nobody here has checked. They move no score: until a re-check, an
 * accusation is only a reason to look before the accused is asked. Slander is bounded by what it
 * may occupy, by the budget of re-checks, and by a source being heard no more after a false one.
 */

export interface Accusation<Proof> {
  accused: string
  /** Who sent it. */
  source: string
  proof: Proof
}

/** Accusations that are kept: some 100 KB each with their tokens. */
const MAX_ACCUSED = 512
/** Sources remembered as false. */
const MAX_SLANDERERS = 10_000

export class Accusations<Proof> {
  readonly #byAccused = new Map<string, Accusation<Proof>>()
  readonly #slanderers = new Set<string>()

  /** The first proof against a peer is kept until it was checked; a later one waits for its chance. */
  add(accusation: Accusation<Proof>): void {
    const { accused, source } = accusation
    if (this.#slanderers.has(source) || this.#byAccused.has(accused)) return
    const oldest = this.#byAccused.keys().next()
    if (this.#byAccused.size >= MAX_ACCUSED && !oldest.done) this.#byAccused.delete(oldest.value)
    this.#byAccused.set(accused, accusation)
  }

  against(peer: string): Accusation<Proof> | undefined {
    return this.#byAccused.get(peer)
  }

  /** After a re-check, whose result goes to the reputation as `proven`. */
  checked({ accused, source }: Accusation<Proof>, confirmed: boolean): void {
    this.#byAccused.delete(accused)
    if (confirmed) return
    const oldest = this.#slanderers.values().next()
    if (this.#slanderers.size >= MAX_SLANDERERS && !oldest.done) this.#slanderers.delete(oldest.value)
    this.#slanderers.add(source)
  }
}
