/**
 * A limited number of keys, each with the source that wrote it. Beyond the limit, the source that has the most loses
 * the key that was written least recently. So an attacker with many keys in one subnet displaces its own.
 */
export class FairKeys {
  readonly #max: number
  readonly #sourceOf = new Map<string, string>()
  /** The keys of each source, the least recently written first. */
  readonly #keysOf = new Map<string, Set<string>>()

  /** @param max the highest number of keys */
  constructor(max: number) {
    this.#max = max
  }

  /**
   * Adds a key, or renews it. Anybody can store the signed record of somebody else, so a key that two sources write
   * belongs to the one that has fewer. Otherwise an attacker could make honest records its own, and displace them.
   *
   * @returns the key that must be deleted, if there are too many
   */
  write(key: string, source: string): string | undefined {
    const known = this.#sourceOf.get(key)
    this.delete(key)
    const owner = known === undefined || this.#count(source) < this.#count(known) ? source : known
    this.#sourceOf.set(key, owner)
    this.#keysOf.set(owner, (this.#keysOf.get(owner) ?? new Set()).add(key))
    if (this.#sourceOf.size <= this.#max) return undefined
    const largest = [...this.#keysOf.values()].reduce((most, one) => (one.size > most.size ? one : most))
    const [oldest = key] = largest
    this.delete(oldest)
    return oldest
  }

  delete(key: string): void {
    const source = this.#sourceOf.get(key)
    if (source === undefined) return
    this.#sourceOf.delete(key)
    const keys = this.#keysOf.get(source)
    keys?.delete(key)
    if (keys?.size === 0) this.#keysOf.delete(source)
  }

  #count(source: string): number {
    return this.#keysOf.get(source)?.size ?? 0
  }
}
