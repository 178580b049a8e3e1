/**
 * One request of one client, to its end: candidates in turn, a hedge before the first token, a node
 * that died in mid-answer continued by the next. The same for every policy; what a policy does not
 * implement (looking around, hedging) does not happen.
 */
import { LOOK_AROUND_MS, MAX_MOVES } from '../../../client/select/index.ts'
import type { Ask, Attempt, Candidate, Policy } from '../policies/policy.ts'
import type { Member, Network, Receipt } from './network.ts'

export interface Outcome {
  ask: Ask
  startedAt: number
  ttftMs: number
  totalMs: number
  /** Of the attempt that was completed; a continuation's prompt counts as the prompt. */
  cachedTokens: number
  receipt: Receipt
  /** Attempts whose prefill began, beyond the first and those after a failure. */
  duplicatePrefills: number
}

interface Sent {
  candidate: Candidate
  /** What the policy hears, if it listens. */
  attempt: Attempt | undefined
  sentAt: number
  cachedTokens: number
  prefillBegan: boolean
  firstTokenAt: number | undefined
  cancel: () => void
}

/** When all candidates refused: what the client waits before it asks them again. */
const BUSY_WAIT_MS = 1_000

/** How one client with its policy sends its requests. `forget` hears of peers that could not be reached. */
export function sender(
  network: Network,
  client: string,
  policy: Policy,
  forget: (key: string) => void = () => undefined
): (ask: Ask, finished: (outcome: Outcome) => void) => void {
  return (ask, finished) => new Request(network, client, policy, ask, finished, forget).next()
}

class Request {
  readonly #network: Network
  readonly #client: string
  readonly #policy: Policy
  readonly #ask: Ask
  readonly #finished: (outcome: Outcome) => void
  readonly #forget: (key: string) => void
  readonly #startedAt: number
  /** Sent and neither failed nor given up: two while a hedge is under way. */
  readonly #attempts = new Set<Sent>()
  #candidates: Iterator<Candidate>
  /** What was taken from `candidates`. */
  #ranking: Candidate[] = []
  #looked = 0
  #tried = new Set<string>()
  #ttftMs: number | undefined
  /** Answer tokens of attempts that were cut. */
  #done = 0
  #hedged = false
  #duplicatePrefills = 0
  #moves = 0

  constructor(
    network: Network,
    client: string,
    policy: Policy,
    ask: Ask,
    finished: (outcome: Outcome) => void,
    forget: (key: string) => void
  ) {
    this.#forget = forget
    this.#network = network
    this.#client = client
    this.#policy = policy
    this.#ask = ask
    this.#finished = finished
    this.#startedAt = network.clock.now()
    this.#candidates = policy.candidates(ask)[Symbol.iterator]()
  }

  next(): void {
    const candidate = this.#peek()
    if (candidate !== undefined) {
      this.#send(candidate, false)
      return
    }
    this.#network.clock.after(BUSY_WAIT_MS, () => {
      this.#tried.clear()
      this.#ranking = []
      this.#looked = 0
      this.#candidates = this.#policy.candidates(this.#rest())[Symbol.iterator]()
      this.next()
    })
  }

  /** The best that was not tried yet. */
  #peek(): Candidate | undefined {
    return this.#untried(0, 1)[0]
  }

  /** So many from a place in the ranking on. */
  #untried(from: number, count: number): Candidate[] {
    const found: Candidate[] = []
    for (let index = from; found.length < count; index++) {
      if (index === this.#ranking.length) {
        const { value, done } = this.#candidates.next()
        if (done === true) break
        this.#ranking.push(value)
      }
      const candidate = this.#ranking[index]!
      if (!this.#tried.has(candidate.key)) found.push(candidate)
    }
    return found
  }

  /** What is still to be generated: what was cut off becomes a prompt that nobody has in a cache. */
  #rest(): Ask {
    const { conversation, promptTokens, answerTokens } = this.#ask
    if (this.#done === 0) return this.#ask
    return {
      conversation,
      promptTokens: promptTokens + this.#done,
      answerTokens: Math.max(1, answerTokens - this.#done)
    }
  }

  #send(candidate: Candidate, hedge: boolean): void {
    const { clock } = this.#network
    const ask = this.#rest()
    this.#tried.add(candidate.key)
    const sent: Sent = {
      candidate,
      attempt: this.#policy.begin?.(candidate, ask, hedge),
      sentAt: clock.now(),
      cachedTokens: 0,
      prefillBegan: false,
      firstTokenAt: undefined,
      cancel: () => undefined
    }
    this.#attempts.add(sent)
    // Only the network made these peers.
    const { cancel } = this.#network.send(this.#client, candidate.peer as Member, ask, {
      accepted: (toldWaitMs, load) => {
        sent.attempt?.accepted(toldWaitMs, load)
        this.#lookAround(sent)
      },
      started: () => {
        sent.prefillBegan = true
      },
      firstToken: (cachedTokens) => this.#firstToken(sent, cachedTokens),
      done: (receipt, decodeMs) => this.#complete(sent, receipt, decodeMs),
      failed: (code, retryAfterMs) => {
        this.#attempts.delete(sent)
        sent.attempt?.failed(code, retryAfterMs)
        if (code === 'dial_failed') this.#forget(candidate.key)
        if (sent.firstTokenAt !== undefined) this.#keepTokens(sent, ask)
        if (this.#attempts.size === 0) this.next()
      }
    })
    sent.cancel = cancel
    this.#planHedge(sent)
  }

  /** Now and then while there is no first token. */
  #lookAround(sent: Sent): void {
    const { clock } = this.#network
    if (this.#moves >= MAX_MOVES || !this.#isAlone(sent) || sent.attempt?.lookAround === undefined) return
    const again = (): void => clock.after(LOOK_AROUND_MS, () => this.#lookAround(sent))
    const look = sent.attempt.lookAround((count) => {
      const others = this.#untried(this.#looked, count)
      // When all were asked, the best are asked again.
      this.#looked = others.length < count ? 0 : this.#looked + count
      return others
    })
    if (look === undefined) return again()
    clock.after(look.afterMs, () => {
      if (!this.#isAlone(sent)) return
      const other = look.decide()
      if (other === undefined) return again()
      this.#moves++
      this.#giveUp(sent)
      this.#send(other, false)
    })
  }

  /** The only attempt under way, and without a token yet. */
  #isAlone(sent: Sent): boolean {
    return this.#attempts.size === 1 && this.#attempts.has(sent) && sent.firstTokenAt === undefined
  }

  #planHedge(sent: Sent): void {
    const afterMs = this.#hedged ? Infinity : (sent.attempt?.hedgeAfterMs?.() ?? Infinity)
    if (afterMs === Infinity) return
    this.#network.clock.after(afterMs, () => {
      if (this.#hedged || !this.#attempts.has(sent) || sent.firstTokenAt !== undefined) return
      const other = this.#peek()
      if (other === undefined || !(this.#policy.takeHedge?.(other) ?? false)) return
      this.#hedged = true
      this.#send(other, true)
    })
  }

  #firstToken(sent: Sent, cachedTokens: number): void {
    const now = this.#network.clock.now()
    sent.firstTokenAt = now
    sent.cachedTokens = cachedTokens
    this.#ttftMs ??= now - this.#startedAt
    sent.attempt?.firstToken()
    for (const other of this.#attempts) if (other !== sent) this.#giveUp(other)
  }

  #giveUp(sent: Sent): void {
    this.#attempts.delete(sent)
    sent.cancel()
    if (sent.prefillBegan) this.#duplicatePrefills++
    sent.attempt?.left()
  }

  /** By the rate so far nobody knows how many came: the share of the time that the rest would have taken. */
  #keepTokens({ firstTokenAt, candidate }: Sent, { answerTokens }: Ask): void {
    const elapsedMs = this.#network.clock.now() - (firstTokenAt ?? 0)
    const { decodeTokensPerSecond } = candidate.peer.claims
    this.#done += Math.min(answerTokens - 1, Math.floor((elapsedMs * decodeTokensPerSecond) / 1000))
  }

  #complete(sent: Sent, receipt: Receipt, decodeMs: number): void {
    this.#attempts.delete(sent)
    const { attempt, cachedTokens } = sent
    attempt?.complete(cachedTokens, decodeMs)
    const totalMs = this.#network.clock.now() - this.#startedAt
    this.#finished({
      ask: this.#ask,
      startedAt: this.#startedAt,
      ttftMs: this.#ttftMs ?? totalMs,
      totalMs,
      cachedTokens,
      receipt,
      duplicatePrefills: this.#duplicatePrefills
    })
  }
}
