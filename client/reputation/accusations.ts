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
/** Sources remembered, by what became of their accusations. */
const MAX_SOURCES = 10_000

/** What became of a source's accusations. One false one is enough: an honest source checks before it sends. */
type Verdict = 'confirmed' | 'false'

export class Accusations<Proof> {
  readonly #byAccused = new Map<string, Accusation<Proof>>()
  readonly #sources = new Map<string, Verdict>()

  /** One for each accused is kept, from a source that was right before where there is one. */
  add(accusation: Accusation<Proof>): void {
    const { accused, source } = accusation
    const known = this.#byAccused.get(accused)
    if (this.#sources.get(source) === 'false' || (known !== undefined && !this.#outweighs(source, known.source))) return
    const oldest = this.#byAccused.keys().next()
    if (this.#byAccused.size >= MAX_ACCUSED && !oldest.done) this.#byAccused.delete(oldest.value)
    this.#byAccused.set(accused, accusation)
  }

  against(peer: string): Accusation<Proof> | undefined {
    return this.#byAccused.get(peer)
  }

  /** Whom the cost of a re-check goes to: sources are as free as keys, so unknown ones share a small budget. */
  purpose({ source }: Accusation<Proof>): 'recheck' | 'recheck_stranger' {
    return this.#sources.get(source) === 'confirmed' ? 'recheck' : 'recheck_stranger'
  }

  /** After a re-check, whose result goes to the reputation as `proven`. */
  checked({ accused, source }: Accusation<Proof>, confirmed: boolean): void {
    this.#byAccused.delete(accused)
    this.#sources.delete(source)
    this.#sources.set(source, confirmed ? 'confirmed' : 'false')
    const oldest = this.#sources.keys().next()
    if (this.#sources.size > MAX_SOURCES && !oldest.done) this.#sources.delete(oldest.value)
  }

  #outweighs(source: string, other: string): boolean {
    return this.#sources.get(source) === 'confirmed' && this.#sources.get(other) !== 'confirmed'
  }
}
