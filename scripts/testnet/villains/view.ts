/** How the client's view of each node changes: a table that is redrawn on a terminal, lines elsewhere, or JSON. */
import { printJson } from '../../../node/cli/terminal/output.ts'
import { table } from '../../../node/cli/terminal/table.ts'
import { duration, rate } from '../../../node/cli/terminal/units.ts'
import { HumanScreen, JsonScreen, type Screen } from '../screen.ts'
import type { ProofCheck } from './proof.ts'
import { PROMISED_AFTER, type Actor, type Asked, type Promised, type Row } from './tally.ts'

export interface Outcome {
  table: readonly Row[]
  promised: Promised
  /** One for each node that stands banned. */
  proofs: ReadonlyArray<ProofCheck & { name: string }>
  /** Requests that had been answered when the impostor was banned. */
  bannedAfter: number | undefined
  /** See `isKept`. */
  kept: boolean | undefined
}

export interface VillainsView extends Screen {
  asked: (asked: Asked, actors: readonly Actor[]) => void
  table: (rows: readonly Row[], asked: number, requests: number) => void
  /** @param before the standing that it had */
  changed: (row: Row, before: string, asked: number) => void
  /** The last request is answered, and a suspect's fate is open. */
  waiting: () => void
  outcome: (outcome: Outcome) => void
}

const HEADS = ['node', 'standing', 'odds of fraud', 'audited', 'requests', 'reliable', 'first token', 'decode']
/** Where nothing is redrawn, a line for so many requests. */
const LINE_EVERY = 10

export class HumanVillainsView extends HumanScreen implements VillainsView {
  #drawn = 0

  asked(): void {
    // The table shows it.
  }

  table(rows: readonly Row[], asked: number, requests: number): void {
    this.endProgress()
    if (this.out.isTTY) this.#redraw(lines(rows, asked, requests))
    else if (asked % LINE_EVERY === 0 && asked > this.#drawn) {
      this.#drawn = asked
      const shares = rows.filter((row) => row.asked > 0).map(({ name, share }) => `${name} ${percent(share)}`)
      this.out.write(`${asked} of ${requests} requests: ${shares.join(', ')}\n`)
    }
  }

  changed({ name, view }: Row, before: string, asked: number): void {
    const line = `after ${asked} requests ${name}: ${said(before)} -> ${said(view?.standing)} (${view?.reasons[0] ?? ''})`
    if (!this.out.isTTY) this.out.write(`${line}\n`)
  }

  waiting(): void {
    this.out.write('All is answered. A suspect gets no requests; waiting for the client to probe it.\n')
    this.#drawn = 0
  }

  outcome(outcome: Outcome): void {
    const { table: rows, promised } = outcome
    if (!this.out.isTTY) this.out.write(`\n${lines(rows, promised.requests, promised.requests).join('\n')}\n`)
    this.out.write(`\n${conclusion(outcome).join('\n')}\n`)
  }

  #redraw(all: readonly string[]): void {
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}F` : ''
    this.out.write(`${up}\u001b[J${all.map((line) => this.clipped(line)).join('\n')}\n`)
    this.#drawn = all.length
  }
}

/** One of many runs: a line at its end. */
export class BriefVillainsView extends HumanScreen implements VillainsView {
  asked(): void {}

  table(): void {
    this.endProgress()
  }

  changed(): void {}

  waiting(): void {}

  outcome({ promised, proofs, bannedAfter, kept }: Outcome): void {
    const { requests, honest, of, honestQuarantined } = promised
    const confirmed = proofs.filter((proof) => proof.confirmed).map(({ name }) => name)
    const facts = [
      `${honest} of the last ${of} of ${requests} to honest nodes`,
      bannedAfter === undefined ? 'impostor not banned' : `impostor banned after ${bannedAfter}`,
      `proofs confirmed: ${confirmed.join(', ') || 'none'}`,
      `honest quarantined: ${honestQuarantined.join(', ') || 'none'}`
    ]
    this.out.write(`${kept === true ? 'kept' : kept === false ? 'BROKEN' : '-'}: ${facts.join(' · ')}\n`)
  }
}

export class JsonVillainsView extends JsonScreen implements VillainsView {
  asked({ peers, ...asked }: Asked, actors: readonly Actor[]): void {
    const nodes = peers.map((peer) => actors.find(({ peerId }) => peerId === peer)?.name ?? peer)
    printJson({ type: 'request', ...asked, nodes })
  }

  table(): void {
    // Each change and the end are told.
  }

  changed({ name, villain, view }: Row, before: string, asked: number): void {
    const { standing, evidence, auditedTokens, reasons } = view ?? {}
    printJson({ type: 'standing', node: name, villain, asked, before, standing, evidence, auditedTokens, reasons })
  }

  waiting(): void {
    printJson({ type: 'waiting' })
  }

  outcome({ table: rows, promised, proofs, ...rest }: Outcome): void {
    for (const { name, villain, asked, share, view } of rows) {
      printJson({ ...view, type: 'node', node: name, villain, asked, share })
    }
    for (const { name, ...proof } of proofs) printJson({ type: 'proof', node: name, ...proof })
    printJson({ type: 'outcome', ...promised, ...rest })
  }
}

function lines(rows: readonly Row[], asked: number, requests: number): string[] {
  const cells = rows.map(({ name, asked: count, share, view }) => [
    name,
    said(view?.standing),
    view === undefined || view.auditedTokens === 0 ? '-' : odds(view.evidence),
    view === undefined ? '-' : `${view.auditedTokens} tokens`,
    `${count} (${percent(share)})`,
    view === undefined ? '-' : percent(view.reliability),
    view?.speed === undefined ? '-' : duration(view.speed.ttftMs),
    view?.speed === undefined ? '-' : rate(view.speed.tokensPerSecond)
  ])
  const why = rows.map(({ name, view }) => `${name.padEnd(10)}${view?.reasons.join('; ') ?? 'not met yet'}`)
  return [...table(HEADS, cells).split('\n'), '', ...why, '', `${asked} of ${requests} requests answered`]
}

function conclusion({ promised, proofs, bannedAfter, kept }: Outcome): string[] {
  const { honest, of, honestQuarantined } = promised
  return [
    `${honest} of the last ${of} requests (${percent(honest / Math.max(1, of))}) went to honest nodes alone; promised are 95 %.`,
    bannedAfter === undefined
      ? 'The impostor is NOT banned.'
      : `The impostor was banned after ${bannedAfter} requests.`,
    ...proofs.flatMap(({ name, file, answers, confirmed, said: complaint }) => [
      `Proof against ${name}, ${answers} answers: ${file}`,
      confirmed
        ? '  npx potluck audit, from the file alone: confirmed'
        : `  npx potluck audit: NOT confirmed: ${complaint}`
    ]),
    `Honest nodes quarantined: ${honestQuarantined.join(', ') || 'none'}.`,
    kept === undefined
      ? `The promise is for ${PROMISED_AFTER} requests and more.`
      : `The promise is ${kept ? 'kept' : 'BROKEN'}.`
  ]
}

function said(standing = 'not met'): string {
  return standing.replace('_', ' ')
}

/** Of the evidence against it: "1:1" says nothing, below speaks for the node. */
function odds(evidence: number): string {
  if (evidence < 1) return `1:${short(1 / evidence)}`
  return `${short(evidence)}:1`
}

function short(value: number): string {
  // What overflows was certain long before.
  if (value === Infinity) return '10^300'
  if (value >= 1e6) return `10^${Math.floor(Math.log10(value))}`
  return value < 10 ? value.toPrecision(2) : value.toFixed(0)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
