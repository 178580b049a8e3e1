/**
 * Starts honest and malicious nodes, and one new client that knows nothing about them. The client has its own engine
 * for audits: without it, it would depend on audits by other nodes, and most of these nodes lie. Shows how the client's
 * view of each node changes with every answer. At the end, the client should use only honest nodes and have proofs of
 * the fraud.
 */
import { auditorOf, type Client } from '@potluck/client'
import { deadline, PotluckError } from '@potluck/protocol'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { startLlamaEngine } from '../../../node/engine/index.ts'
import { crumb } from '../../../node/models/crumb.ts'
import { clientOf } from '../find-nodes.ts'
import { startFleet } from '../fleet.ts'
import { nodesOf } from './nodes.ts'
import { writeAndCheck } from './proof.ts'
import { question } from './questions.ts'
import {
  isPassed,
  REQUIRED_REQUESTS,
  toRows,
  toVerdict,
  type NodeRow,
  type RequestRecord,
  type ScenarioNode
} from './verdict.ts'
import type { MaliciousView, Outcome } from './view.ts'

/**
 * Concurrent callers of the client. Each sends a request, waits for the audits, and sends the next request. With a
 * single caller, the client would mostly use the first node that passes its audits. It would use the malicious nodes
 * too rarely to ban one within 80 requests.
 */
const CALLERS = 6
/**
 * The allowance for audits of a new client, in generated tokens: twice the default. The default is enough to audit the
 * new nodes of a first session one after the other. Here six callers use new nodes at once, and the client must still
 * be able to probe a quarantined node afterwards.
 */
const AUDIT_ALLOWANCE = 3000
/** Wait at most this long for the client to probe a quarantined node. It does so every 20 s on average. */
const PROBE_WAIT_MS = 120_000

export async function runMalicious(
  { requests, gpu }: { requests: number; gpu: boolean },
  view: MaliciousView,
  signal: AbortSignal
): Promise<Outcome> {
  await using started = new AsyncDisposableStack()
  const specs = nodesOf(gpu)
  const fleet = await startFleet({
    nodes: specs,
    onProgress: (member, stage, fraction) => view.progress(member, stage, fraction),
    signal
  })
  started.defer(async () => await fleet.stop())
  const engine = await startLlamaEngine({
    modelPath: crumb.Q8_0.path,
    slots: 1,
    threads: 1,
    gpu: false,
    logger: pino({ level: 'silent' })
  })
  started.defer(async () => await engine.close())
  const client = await clientOf(fleet, {
    auditor: auditorOf(engine),
    reputation: { parameters: { auditAllowanceTokens: AUDIT_ALLOWANCE } },
    signal
  })
  started.defer(async () => await client.stop())
  const nodes = specs.map(({ name, malicious }): ScenarioNode => {
    const peerId = fleet.nodes.find((member) => member.name === name)?.peerId ?? ''
    return { name, peerId, malicious }
  })
  const outcome = await new MaliciousRun(client, nodes, requests, view).run(signal)
  view.outcome(outcome)
  return outcome
}

class MaliciousRun {
  readonly #client: Client
  readonly #nodes: readonly ScenarioNode[]
  readonly #requests: number
  readonly #view: MaliciousView
  readonly #answered: RequestRecord[] = []
  readonly #standings = new Map<string, string>()
  #bannedAfter: number | undefined
  /** Audited answers of the impostor until the client quarantined or banned it. */
  #impostorAudits = 0
  #isFound = false

  constructor(client: Client, nodes: readonly ScenarioNode[], requests: number, view: MaliciousView) {
    this.#client = client
    this.#nodes = nodes
    this.#requests = requests
    this.#view = view
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const off = this.#client.onJudged(({ peerId, after }) => {
      const impostor = this.#nodes.some((node) => node.peerId === peerId && node.malicious === 'impostor')
      if (impostor && !this.#isFound) {
        this.#impostorAudits++
        this.#isFound = after === 'quarantined' || after === 'banned'
      }
      this.#update()
    })
    try {
      let next = 0
      const caller = async (): Promise<void> => {
        for (let index = next++; index < this.#requests; index = next++) {
          const record = await this.#send(index, signal)
          this.#answered.push(record)
          this.#update()
          this.#view.answered(record, this.#nodes)
          await this.#client.audited()
        }
      }
      await Promise.all(Array.from({ length: CALLERS }, caller))
      if (this.#requests >= REQUIRED_REQUESTS) await this.#impostorIsProbed(signal)
      const rows = this.#update()
      const verdict = toVerdict(rows, this.#answered)
      const proofs = await this.#proofs(signal)
      const banned = proofs.some(({ name, confirmed }) => name === 'impostor' && confirmed)
      const foundAfterAudits = this.#isFound ? this.#impostorAudits : undefined
      const passed = isPassed(verdict, { banned, foundAfterAudits })
      return { rows, verdict, proofs, bannedAfter: this.#bannedAfter, foundAfterAudits, passed }
    } finally {
      off()
    }
  }

  async #send(index: number, signal: AbortSignal): Promise<RequestRecord> {
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

  /** Shows the client's current view of all nodes, and returns it. */
  #update(): NodeRow[] {
    const rows = toRows(this.#nodes, this.#answered, this.#client.standing())
    for (const row of rows) {
      const { standing } = row.view ?? {}
      if (standing === undefined) continue
      const before = this.#standings.get(row.peerId) ?? 'probationary'
      this.#standings.set(row.peerId, standing)
      if (standing === before) continue
      if (row.malicious === 'impostor' && standing === 'banned') this.#bannedAfter = this.#answered.length
      this.#view.changed(row, before, this.#answered.length)
    }
    this.#view.rows(rows, this.#answered.length, this.#requests)
    return rows
  }

  /** If the impostor is quarantined, waits until a probe changes its standing. */
  async #impostorIsProbed(signal: AbortSignal): Promise<void> {
    const isQuarantined = (): boolean =>
      this.#update().some(({ malicious, view }) => malicious === 'impostor' && view?.standing === 'quarantined')
    if (!isQuarantined()) return
    this.#view.waiting()
    const expired = deadline(PROBE_WAIT_MS, signal)
    await new Promise<void>((resolve) => {
      expired.addEventListener('abort', () => resolve(), { once: true })
      const off = this.#client.onJudged(() => {
        if (isQuarantined()) return
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
      const name = this.#nodes.find(({ peerId }) => peerId === proof.peerId)?.name ?? proof.peerId
      checked.push({ name, ...(await writeAndCheck(proof, join(folder, `${name}.proof`), signal)) })
    }
    return checked
  }
}
