/** Nodes that say what comes next. */
import { fits, Node, Path, resume, type Ways } from './machine.ts'

/** One after the other; none is the empty text. */
export class Sequence extends Node {
  readonly #items: readonly Node[]

  constructor(...items: readonly Node[]) {
    super()
    this.#items = items
  }

  override enter(at: number, next: Path | undefined, ways: Ways): void {
    const item = this.#items[at]
    if (item === undefined) resume(next, ways)
    else item.enter(0, at + 1 === this.#items.length ? next : new Path(this, at + 1, next), ways)
  }

  override heads(): readonly Node[] {
    return this.#items.slice(0, 1)
  }

  override measure(): number {
    return Math.max(0, ...this.#items.map(({ nesting }) => nesting))
  }
}

/** One of them. */
export class Choice extends Node {
  readonly #items: readonly Node[]

  constructor(...items: readonly Node[]) {
    super()
    this.#items = items
  }

  override enter(_at: number, next: Path | undefined, ways: Ways): void {
    ways.choose()
    for (const item of this.#items) if (fits(item, next)) item.enter(0, next, ways)
  }

  override heads(): readonly Node[] {
    return this.#items
  }

  override measure(): number {
    return Math.min(...this.#items.map(({ nesting }) => nesting))
  }
}

/** Another place of the grammar, known later than this node. */
export class Reference extends Node {
  target: Node | undefined

  override enter(at: number, next: Path | undefined, ways: Ways): void {
    ways.choose()
    this.target!.enter(at, next, ways)
  }

  override heads(): readonly Node[] {
    return [this.target!]
  }

  override measure(): number {
    return this.target!.nesting
  }
}

/** An object or array: one deeper than what it stands in. */
export class Nested extends Node {
  readonly #inner: Node

  constructor(inner: Node) {
    super()
    this.#inner = inner
  }

  override enter(at: number, next: Path | undefined, ways: Ways): void {
    if (at === 1) resume(next, ways)
    else this.#inner.enter(0, new Path(this, 1, next, 1), ways)
  }

  override measure(): number {
    return 1 + this.#inner.nesting
  }
}

/** The same again and again, with something between; `at` is how many there were. */
export class Repeat extends Node {
  readonly #item: Node
  readonly #further: Node
  readonly #least: number
  readonly #most: number

  constructor(item: Node, separator: Node, least: number, most: number) {
    super()
    this.#item = item
    this.#further = new Sequence(separator, item)
    this.#least = least
    this.#most = most
  }

  override enter(at: number, next: Path | undefined, ways: Ways): void {
    if (at >= this.#least) resume(next, ways)
    if (at >= this.#most || !fits(this.#item, next)) return
    const item = at === 0 ? this.#item : this.#further
    item.enter(0, new Path(this, at + 1, next), ways)
  }

  override heads(): readonly Node[] {
    return [this.#item]
  }

  override measure(): number {
    return this.#least > 0 ? this.#item.nesting : 0
  }

  override keyAt(at: number, reach: number): string {
    if (at === 0) return '0'
    const [room, missing] = [this.#most - at, Math.max(0, this.#least - at)]
    return [room > reach ? '*' : room, missing > reach ? '*' : missing].join()
  }
}

export interface Member {
  /** Key, colon and value. */
  entry: Node
  required: boolean
}

/** The members of an object in their order; `at` is the next one's index, doubled, and whether any stands before. */
export class Members extends Node {
  readonly #members: readonly Member[]
  /** Any number of these at the end. */
  readonly #additional: Node | undefined
  readonly #separated: readonly Node[]

  constructor(members: readonly Member[], additional: Node | undefined, separator: Node) {
    super()
    this.#members = members
    this.#additional = additional
    const entries = [...members.map(({ entry }) => entry), ...(additional === undefined ? [] : [additional])]
    this.#separated = entries.map((entry) => new Sequence(separator, entry))
  }

  override enter(at: number, next: Path | undefined, ways: Ways): void {
    const any = at % 2 === 1
    for (let index = at >> 1; index < this.#members.length; index++) {
      const { entry, required } = this.#members[index]!
      const path = new Path(this, 2 * (index + 1) + 1, next)
      if (required || fits(entry, next)) (any ? this.#separated[index]! : entry).enter(0, path, ways)
      if (required) return
    }
    const last = this.#members.length
    if (this.#additional !== undefined && fits(this.#additional, next)) {
      const entry = any ? this.#separated[last]! : this.#additional
      entry.enter(0, new Path(this, 2 * last + 1, next), ways)
    }
    resume(next, ways)
  }

  override measure(): number {
    return Math.max(0, ...this.#members.filter(({ required }) => required).map(({ entry }) => entry.nesting))
  }
}
