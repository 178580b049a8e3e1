/**
 * One request of one client, to its end: candidates in turn, a hedge before the first token, a node
 * that died in mid-answer continued by the next. The same for every policy; what a policy does not
 * implement (moving, hedging) does not happen.
 */
import { LOOK_AROUND_MS, MAX_MOVES } from '../../../client/select/index.ts'
import type { Ask, Candidate, Policy } from '../policies/policy.ts'
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
  failures: number
  moves: number
}

interface Attempt<C extends Candidate> {
  candidate: C
  sentAt: number
  toldWaitMs: number
  cachedTokens: number
  prefillBegan: boolean
  firstTokenAt: number | undefined
  cancel: () => void
}

/** When all candidates refused: what the client waits before it asks them again. */
const BUSY_WAIT_MS = 1_000

/** How one client with its policy sends its requests. `forget` hears of peers that could not be reached. */
export function sender<C extends Candidate>(
  network: Network,
  client: string,
  policy: Policy<C>,
  forget: (key: string) => void = () => undefined
): (ask: Ask, finished: (outcome: Outcome) => void) => void {
  return (ask, finished) => new Request(network, client, policy, ask, finished, forget).next()
}

class Request<C extends Candidate> {
  readonly #network: Network
  readonly #client: string
  readonly #policy: Policy<C>
  readonly #ask: Ask
  readonly #finished: (outcome: Outcome) => void
  readonly #forget: (key: string) => void
  readonly #startedAt: number
  /** Sent and neither failed nor given up: two while a hedge is under way. */
  readonly #attempts = new Set<Attempt<C>>()
  #candidates: Iterator<C>
  /** What was taken from `candidates`. */
  #ranking: C[] = []
  #looked = 0
  #tried = new Set<string>()
  #ttftMs: number | undefined
  /** Answer tokens of attempts that were cut. */
  #done = 0
  #hedged = false
  #duplicatePrefills = 0
  #failures = 0
  #moves = 0

  constructor(
    network: Network,
    client: string,
    policy: Policy<C>,
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
    const candidate = this.#take()
    if (candidate !== undefined) {
      this.#send(candidate)
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
  #take(): C | undefined {
    const candidate = this.#peek()
    if (candidate !== undefined) this.#tried.add(candidate.key)
    return candidate
  }

  #peek(): C | undefined {
    return this.#untried(0, 1)[0]
  }

  /** So many from a place in the ranking on. */
  #untried(from: number, count: number): C[] {
    const found: C[] = []
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

  #send(candidate: C): void {
    const { clock } = this.#network
    const ask = this.#rest()
    const attempt: Attempt<C> = {
      candidate,
      sentAt: clock.now(),
      toldWaitMs: 0,
      cachedTokens: 0,
      prefillBegan: false,
      firstTokenAt: undefined,
      cancel: () => undefined
    }
    this.#attempts.add(attempt)
    this.#policy.sent?.(candidate)
    // Only the network made these peers.
    const sent = this.#network.send(this.#client, candidate.peer as Member, ask, {
      accepted: (toldWaitMs, load) => {
        attempt.toldWaitMs = toldWaitMs
        this.#policy.accepted?.(candidate, load)
        this.#lookAround(attempt)
      },
      started: () => {
        attempt.prefillBegan = true
      },
      firstToken: (cachedTokens) => this.#firstToken(attempt, cachedTokens),
      done: (receipt, decodeMs) => this.#complete(attempt, ask, receipt, decodeMs),
      failed: (code, retryAfterMs) => {
        this.#attempts.delete(attempt)
        this.#policy.failed?.(candidate, code, retryAfterMs)
        if (code === 'dial_failed') this.#forget(candidate.key)
        this.#failures++
        if (attempt.firstTokenAt !== undefined) this.#keepTokens(attempt, ask)
        if (this.#attempts.size === 0) this.next()
      }
    })
    attempt.cancel = sent.cancel
    this.#planHedge(attempt)
  }

  /** Now and then while there is no first token. */
  #lookAround(attempt: Attempt<C>): void {
    const { clock } = this.#network
    if (this.#moves >= MAX_MOVES || !this.#isAlone(attempt) || this.#policy.lookAround === undefined) return
    const again = (): void => clock.after(LOOK_AROUND_MS, () => this.#lookAround(attempt))
    const look = this.#policy.lookAround(attempt, this.#rest(), (count) => {
      const others = this.#untried(this.#looked, count)
      // When all were asked, the best are asked again.
      this.#looked = others.length < count ? 0 : this.#looked + count
      return others
    })
    if (look === undefined) return again()
    clock.after(look.afterMs, () => {
      if (!this.#isAlone(attempt)) return
      const other = look.decide()
      if (other === undefined) return again()
      this.#moves++
      this.#giveUp(attempt)
      this.#tried.add(other.key)
      this.#send(other)
    })
  }

  /** The only attempt under way, and without a token yet. */
  #isAlone(attempt: Attempt<C>): boolean {
    return this.#attempts.size === 1 && this.#attempts.has(attempt) && attempt.firstTokenAt === undefined
  }

  #planHedge(attempt: Attempt<C>): void {
    if (this.#hedged || this.#policy.hedgeAfterMs === undefined) return
    const afterMs = this.#policy.hedgeAfterMs(attempt.candidate)
    if (afterMs === Infinity) return
    this.#network.clock.after(afterMs, () => {
      if (this.#hedged || !this.#attempts.has(attempt) || attempt.firstTokenAt !== undefined) return
      const other = this.#peek()
      if (other === undefined || !(this.#policy.takeHedge?.(other) ?? false)) return
      this.#hedged = true
      this.#tried.add(other.key)
      this.#send(other)
    })
  }

  #firstToken(attempt: Attempt<C>, cachedTokens: number): void {
    const now = this.#network.clock.now()
    attempt.firstTokenAt = now
    attempt.cachedTokens = cachedTokens
    this.#ttftMs ??= now - this.#startedAt
    this.#policy.firstToken?.(attempt.candidate, now - attempt.sentAt)
    for (const other of this.#attempts) if (other !== attempt) this.#giveUp(other)
  }

  #giveUp(attempt: Attempt<C>): void {
    this.#attempts.delete(attempt)
    attempt.cancel()
    if (attempt.prefillBegan) this.#duplicatePrefills++
    const waitedMs = this.#network.clock.now() - attempt.sentAt
    this.#policy.left?.(attempt.candidate, this.#rest(), attempt.toldWaitMs, waitedMs)
  }

  /** By the rate so far nobody knows how many came: the share of the time that the rest would have taken. */
  #keepTokens(attempt: Attempt<C>, ask: Ask): void {
    const elapsed = this.#network.clock.now() - (attempt.firstTokenAt ?? 0)
    const { decodeTokensPerSecond } = attempt.candidate.peer.claims
    this.#done += Math.min(ask.answerTokens - 1, Math.floor((elapsed * decodeTokensPerSecond) / 1000))
  }

  #complete(attempt: Attempt<C>, ask: Ask, receipt: Receipt, decodeMs: number): void {
    this.#attempts.delete(attempt)
    const { candidate, toldWaitMs, cachedTokens } = attempt
    const ttftMs = (attempt.firstTokenAt ?? this.#network.clock.now()) - attempt.sentAt
    this.#policy.complete?.({ candidate, ask, cachedTokens, toldWaitMs, ttftMs, decodeMs, receipt })
    this.#finished({
      ask: this.#ask,
      startedAt: this.#startedAt,
      ttftMs: this.#ttftMs ?? ttftMs,
      totalMs: this.#network.clock.now() - this.#startedAt,
      cachedTokens,
      receipt,
      duplicatePrefills: this.#duplicatePrefills,
      failures: this.#failures,
      moves: this.#moves
    })
  }
}
