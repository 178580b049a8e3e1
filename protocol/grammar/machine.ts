/**
 * A machine over bytes that knows how a text may go on. What it accepts is a function of the bytes
 * alone, so that node, auditor and a node that continues find the same state by the same tokens.
 *
 * A grammar is a graph of nodes. Terminals take bytes; all other nodes only say what comes next. Where
 * several readings of a text are possible, the state holds all of them: each is a way, a terminal with
 * its own state and the path of nodes that are still to be finished after it.
 */
import { MAX_CHOICES, MAX_NESTING, MAX_WAYS, REACH } from './limits.ts'

let lastId = 0

/** A place of a grammar. */
export abstract class Node {
  /** Unique in this process; for keys of caches, without a meaning. */
  readonly id: number = ++lastId
  /** Objects and arrays within each other that the shortest text of this node needs. */
  nesting = 0

  /**
   * Adds the ways to go on in this node.
   *
   * @param at how far the node is; 0 at its beginning
   * @param next what follows it
   */
  abstract enter(at: number, next: Path | undefined, ways: Ways): void

  /** Nodes that stand at the very beginning of this one: a cycle of these would never take a byte. */
  heads(): readonly Node[] {
    return []
  }

  /** From the nodes within; called until nothing changes any more. */
  measure(): number {
    return 0
  }

  /** Tells states apart whose next `reach` bytes may differ. */
  keyAt(at: number, _reach: number): string {
    return String(at)
  }
}

/** `open`: more has to come; `whole`: it may end here or go on; `over`: it has ended. */
export type Status = 'open' | 'whole' | 'over'

export type TerminalState = number | string

/** A node that takes bytes. */
export abstract class Terminal extends Node {
  abstract readonly start: TerminalState

  /** The state after one more byte; undefined where it is not allowed. */
  abstract step(state: TerminalState, byte: number): TerminalState | undefined

  abstract status(state: TerminalState): Status

  abstract keyOf(state: TerminalState, reach: number): string

  override enter(_at: number, next: Path | undefined, ways: Ways): void {
    ways.add({ terminal: this, state: this.start, next })
  }
}

/** What is to be finished after a terminal: a node, how far it is, and what follows it. */
export class Path {
  readonly node: Node
  readonly at: number
  readonly next: Path | undefined
  /** Objects and arrays that are open. */
  readonly nesting: number
  #near: string | undefined
  #exact: string | undefined

  constructor(node: Node, at: number, next: Path | undefined, opens = 0) {
    this.node = node
    this.at = at
    this.next = next
    this.nesting = (next?.nesting ?? 0) + opens
  }

  /** The same for paths that the next tokens cannot tell apart. */
  get near(): string {
    return (this.#near ??= `${this.node.id}.${this.node.keyAt(this.at, REACH)}/${this.next?.near ?? ''}`)
  }

  get exact(): string {
    return (this.#exact ??= `${this.node.id}.${this.node.keyAt(this.at, Infinity)}/${this.next?.exact ?? ''}`)
  }
}

/** Whether a node's shortest text stays within the bound of nesting. */
export function fits(node: Node, next: Path | undefined): boolean {
  return (next?.nesting ?? 0) + node.nesting <= MAX_NESTING
}

/** Goes on with what follows; without anything, the text may end. */
export function resume(path: Path | undefined, ways: Ways): void {
  if (path === undefined) ways.mayEnd = true
  else path.node.enter(path.at, path.next, ways)
}

export interface Way {
  readonly terminal: Terminal
  readonly state: TerminalState
  readonly next: Path | undefined
}

/** A text has more readings at once than are followed. */
export class TooManyWays extends Error {
  override readonly name = 'TooManyWays'
}

/** How a text may go on from some place. */
export class Ways {
  readonly list: Way[] = []
  /** The text may end here. */
  mayEnd = false
  #known: Set<string> | undefined
  #choices = 0

  /**
   * Counts what is looked at to find the ways: many short references may mean billions.
   *
   * @throws TooManyWays
   */
  choose(): void {
    if (++this.#choices > MAX_CHOICES) throw new TooManyWays(`more than ${MAX_CHOICES} choices for one byte`)
  }

  /** @throws TooManyWays */
  add(way: Way): void {
    // A few are compared faster than they are named.
    if (this.list.length >= 4) {
      this.#known ??= new Set(this.list.map(exactKey))
      const key = exactKey(way)
      if (this.#known.has(key)) return
      this.#known.add(key)
    }
    if (this.list.length === MAX_WAYS) throw new TooManyWays(`more than ${MAX_WAYS} readings at once`)
    this.list.push(way)
  }
}

function exactKey({ terminal, state, next }: Way): string {
  return `${terminal.id}:${state}|${next?.exact ?? ''}`
}

/** The same for ways that tokens of at most `REACH` bytes cannot tell apart. */
export function nearKey({ terminal, state, next }: Way): string {
  return `${terminal.id}:${terminal.keyOf(state, REACH)}|${next?.near ?? ''}`
}

/** The state before the first byte. */
export function begin(root: Node): Ways {
  const ways = new Ways()
  root.enter(0, undefined, ways)
  return ways
}

/** The state after one more byte; undefined where no text of the grammar has it there. */
export function step({ list }: Ways, byte: number): Ways | undefined {
  const ways = new Ways()
  for (const { terminal, state, next } of list) {
    const after = terminal.step(state, byte)
    if (after === undefined) continue
    const status = terminal.status(after)
    if (status !== 'over') ways.add({ terminal, state: after, next })
    if (status !== 'open') resume(next, ways)
  }
  return ways.list.length > 0 || ways.mayEnd ? ways : undefined
}
