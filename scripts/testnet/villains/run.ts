/**
 * Honest nodes and villains, and one client that was told nothing: how its view of each changes, answer by
 * answer, until it asks honest nodes alone and can prove the fraud to others.
 */
import type { Client } from '@potluck/client'
import { deadline, PotluckError } from '@potluck/protocol'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crumb } from '../../../node/models/crumb.ts'
import { clientOf } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import { writeAndCheck } from './proof.ts'
import { question } from './questions.ts'
import { ROSTER } from './roster.ts'
import { isKept, judge, PROMISED_AFTER, rows, type Actor, type Asked, type Row } from './tally.ts'
import type { Outcome, VillainsView } from './view.ts'

/**
 * Callers of the one client, a household: each asks, reads while the client audits, and asks again. A single one
 * would settle on the first node that its audits clear, and meet the others too seldom for a ban so soon.
 */
const CALLERS = 6
/**
 * What the client may spend on audits beforehand, in tokens of generation: twice the default, which is enough to try
 * the newcomers of a first session, but not six at once and then a probe or two of a suspect.
 */
const AUDIT_ALLOWANCE = 3000
/** A suspect is probed at times that it cannot foresee, 20 s apart on average; here is how long that is waited for. */
const PROBE_WAIT_MS = 120_000

export async function runVillains(
  { requests }: { requests: number },
  view: VillainsView,
  signal: AbortSignal
): Promise<Outcome> {
  const fleet = await startFleet({
    nodes: ROSTER,
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  try {
    const client = await clientOf(fleet, {
      reputation: { parameters: { auditAllowanceTokens: AUDIT_ALLOWANCE } },
      signal
    })
    try {
      const actors = ROSTER.map(({ name, villain }): Actor => {
        const peerId = fleet.nodes.find((member) => member.name === name)?.peerId ?? ''
        return { name, peerId, villain }
      })
      const outcome = await new Scene(client, actors, requests, view).play(signal)
      view.outcome(outcome)
      return outcome
    } finally {
      await client.stop()
    }
  } finally {
    await fleet.stop()
  }
}

class Scene {
  readonly #client: Client
  readonly #actors: readonly Actor[]
  readonly #requests: number
  readonly #view: VillainsView
  readonly #asked: Asked[] = []
  readonly #standings = new Map<string, string>()
  #bannedAfter: number | undefined

  constructor(client: Client, actors: readonly Actor[], requests: number, view: VillainsView) {
    this.#client = client
    this.#actors = actors
    this.#requests = requests
    this.#view = view
  }

  async play(signal: AbortSignal): Promise<Outcome> {
    const off = this.#client.onJudged(() => this.#look())
    try {
      let next = 0
      const caller = async (): Promise<void> => {
        for (let index = next++; index < this.#requests; index = next++) {
          const asked = await this.#ask(index, signal)
          this.#asked.push(asked)
          this.#look()
          this.#view.asked(asked, this.#actors)
          await this.#client.audited()
        }
      }
      await Promise.all(Array.from({ length: CALLERS }, caller))
      if (this.#requests >= PROMISED_AFTER) await this.#suspectIsProbed(signal)
      const table = this.#look()
      const promised = judge(table, this.#asked)
      const proofs = await this.#proofs(signal)
      const banned = proofs.some(({ name, confirmed }) => name === 'impostor' && confirmed)
      return { table, promised, proofs, bannedAfter: this.#bannedAfter, kept: isKept(promised, banned) }
    } finally {
      off()
    }
  }

  async #ask(index: number, signal: AbortSignal): Promise<Asked> {
    const answer = this.#client.chat({ ...question(index), model: `sha256:${crumb.Q8_0.sha256}`, signal })
    try {
      const { metadata, usage } = await answer.result()
      const { failures, peerId, ttftMs, totalMs } = metadata
      const peers = [...failures.map((failure) => failure.peerId), peerId]
      return { index, peers, ttftMs, totalMs, tokens: usage.completionTokens }
    } catch (error) {
      if (signal.aborted || !(error instanceof PotluckError)) throw error
      return { index, peers: error.peer === undefined ? [] : [error.peer], failure: error.code }
    }
  }

  /** Shows the client's view as it is now. */
  #look(): Row[] {
    const table = rows(this.#actors, this.#asked, this.#client.standing())
    for (const row of table) {
      const { standing } = row.view ?? {}
      if (standing === undefined) continue
      const before = this.#standings.get(row.peerId) ?? 'probationary'
      this.#standings.set(row.peerId, standing)
      if (standing === before) continue
      if (row.villain === 'impostor' && standing === 'banned') this.#bannedAfter = this.#asked.length
      this.#view.changed(row, before, this.#asked.length)
    }
    this.#view.table(table, this.#asked.length, this.#requests)
    return table
  }

  async #suspectIsProbed(signal: AbortSignal): Promise<void> {
    const isSuspect = (): boolean =>
      this.#look().some(({ villain, view }) => villain === 'impostor' && view?.standing === 'quarantined')
    if (!isSuspect()) return
    this.#view.waiting()
    const over = deadline(PROBE_WAIT_MS, signal)
    await new Promise<void>((resolve) => {
      over.addEventListener('abort', () => resolve(), { once: true })
      const off = this.#client.onJudged(() => {
        if (isSuspect()) return
        off()
        resolve()
      })
    })
    signal.throwIfAborted()
  }

  async #proofs(signal: AbortSignal): Promise<Outcome['proofs']> {
    const proofs = this.#client.proofs()
    if (proofs.length === 0) return []
    const folder = await mkdtemp(join(tmpdir(), 'potluck-proofs-'))
    const checked: Outcome['proofs'][number][] = []
    for (const proof of proofs) {
      const name = this.#actors.find(({ peerId }) => peerId === proof.peerId)?.name ?? proof.peerId
      checked.push({ name, ...(await writeAndCheck(proof, join(folder, `${name}.proof`), signal)) })
    }
    return checked
  }
}
