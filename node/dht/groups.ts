/** Collections whose operations take the same time for any number of items. */

/** Where a bag remembers the index of an item: in a field of the item itself, which takes the least memory. */
type Indexed<Field extends string> = { [field in Field]: number }

/** A list from which any item can be removed. It does not keep an order. */
export class Bag<Field extends string, T extends Indexed<Field>> {
  readonly items: T[] = []
  readonly #field: Field

  /** @param field no other bag with the same items may use it */
  constructor(field: Field) {
    this.#field = field
  }

  add(item: T): void {
    this.#place(item, this.items.length)
  }

  delete(item: T): void {
    const last = this.items.pop()!
    if (last !== item) this.#place(last, item[this.#field])
  }

  /** Exchanges the items at two indices. */
  swap(a: number, b: number): void {
    const [first, second] = [this.items[a]!, this.items[b]!]
    this.#place(second, a)
    this.#place(first, b)
  }

  /** @param random uniform in [0, 1) */
  pick(random: () => number): T | undefined {
    return this.items[Math.floor(random() * this.items.length)]
  }

  #place(item: T, index: number): void {
    this.items[index] = item
    item[this.#field] = index as T[Field]
  }
}

/** Counts items by group, and knows the largest group. */
export class Groups<Field extends string, T extends Indexed<Field>> {
  readonly #field: Field
  readonly #groups = new Map<string | undefined, Bag<Field, T>>()
  readonly #bySize = new Map<number, Set<Bag<Field, T>>>()
  #largest = 0

  /** @param field as for a bag */
  constructor(field: Field) {
    this.#field = field
  }

  add(group: string | undefined, item: T): void {
    const bag = this.#groups.get(group) ?? new Bag<Field, T>(this.#field)
    this.#groups.set(group, bag)
    this.#resize(bag, () => bag.add(item))
    this.#largest = Math.max(this.#largest, bag.items.length)
  }

  delete(group: string | undefined, item: T): void {
    const bag = this.#groups.get(group)!
    this.#resize(bag, () => bag.delete(item))
    if (bag.items.length === 0) this.#groups.delete(group)
    // A group loses one item at a time, so the largest size decreases by at most one.
    if (!this.#bySize.has(this.#largest)) this.#largest--
  }

  /** The number of items in a group. */
  count(group: string | undefined): number {
    return this.#groups.get(group)?.items.length ?? 0
  }

  pick(group: string | undefined, random: () => number): T | undefined {
    return this.#groups.get(group)?.pick(random)
  }

  /** Returns a random item of the largest group. */
  pickFromLargest(random: () => number): T | undefined {
    const [bag] = this.#bySize.get(this.#largest) ?? []
    return bag?.pick(random)
  }

  #resize(bag: Bag<Field, T>, change: () => void): void {
    const before = this.#bySize.get(bag.items.length)
    before?.delete(bag)
    if (before?.size === 0) this.#bySize.delete(bag.items.length)
    change()
    const size = bag.items.length
    if (size === 0) return
    const after = this.#bySize.get(size) ?? new Set()
    this.#bySize.set(size, after.add(bag))
  }
}
