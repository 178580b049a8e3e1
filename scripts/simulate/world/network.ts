/**
 * The simulated peers and the connections to them. The network knows which peers are malicious; a client sees only the
 * events of its attempts.
 */
import type { ErrorCode, Load } from '@potluck/protocol'
import type { Clock } from '../clock.ts'
import type { Ask, PublicPeer } from '../policies/policy.ts'
import type { Random } from '../random.ts'
import { HONEST } from './audit.ts'
import { Conversations } from './conversations.ts'
import { SimPeer, type PeerTraits } from './peer.ts'

/** The receipt of an answer, signed by `key`. Only the audit model may read `served`. */
export interface Receipt {
  key: string
  served: string
  tokens: number
  promptTokens: number
}

export interface AttemptEvents {
  accepted: (toldWaitMs: number, load: Load) => void
  started: () => void
  firstToken: (cachedTokens: number) => void
  done: (receipt: Receipt, decodeMs: number) => void
  failed: (code: ErrorCode, retryAfterMs?: number) => void
}

/** A dial to a dead peer fails after this time, the client's own dial timeout. */
const DIAL_TIMEOUT_MS = 2_500

/** A `SimPeer` in the network, with the behaviour that its owner chose. */
export class Member implements PublicPeer {
  readonly peer: SimPeer
  /** The file that the peer serves for this client's request. */
  serves: (client: string) => string = () => HONEST
  /** Called after each answer of the peer. */
  answered: (served: string) => void = () => undefined
  claims: PublicPeer['claims']

  constructor(peer: SimPeer) {
    this.peer = peer
    const { prefillTokensPerSecond, decodeTokensPerSecond } = peer.traits
    this.claims = { prefillTokensPerSecond, decodeTokensPerSecond }
  }

  get key(): string {
    return this.peer.key
  }

  get roundTripMs(): number {
    return this.peer.traits.roundTripMs
  }

  load(): Load {
    return this.peer.load()
  }
}

export class Network {
  readonly clock: Clock
  readonly random: Random
  readonly members: readonly Member[]

  constructor(traits: readonly PeerTraits[], clock: Clock, random: Random) {
    this.clock = clock
    this.random = random
    const conversations = new Conversations()
    this.members = traits.map((one) => new Member(new SimPeer(one, clock, conversations)))
  }

  /** Sends one request. `cancel` resets the stream. */
  send(client: string, member: Member, ask: Ask, events: AttemptEvents): { cancel: () => void } {
    const { peer } = member
    const half = peer.traits.roundTripMs / 2
    let over = false
    let cancel = (): void => undefined
    const back = (run: () => void): void => {
      this.clock.after(half, () => {
        if (!over) run()
      })
    }
    const end = (run: () => void): void =>
      back(() => {
        over = true
        run()
      })
    if (!peer.alive) {
      this.clock.after(DIAL_TIMEOUT_MS - half, () => end(() => events.failed('dial_failed')))
    } else {
      this.clock.after(half, () => {
        if (!over) cancel = this.#arrive(client, member, ask, events, back, end)
      })
    }
    return {
      cancel: () => {
        over = true
        this.clock.after(half, () => cancel())
      }
    }
  }

  #arrive(
    client: string,
    member: Member,
    ask: Ask,
    events: AttemptEvents,
    back: (run: () => void) => void,
    end: (run: () => void) => void
  ): () => void {
    const { peer } = member
    if (!peer.alive) {
      end(() => events.failed('stream_cut'))
      return () => undefined
    }
    const { key } = peer
    let cachedTokens = 0
    const taken = peer.take(
      { client, ...ask },
      {
        accepted: (toldWaitMs) => {
          const load = peer.load()
          back(() => events.accepted(toldWaitMs, load))
        },
        started: (cached) => {
          cachedTokens = cached
          events.started()
        },
        firstToken: () => back(() => events.firstToken(cachedTokens)),
        done: (decodeMs) => {
          const served = member.serves(client)
          member.answered(served)
          end(() => events.done({ key, served, tokens: ask.answerTokens, promptTokens: ask.promptTokens }, decodeMs))
        },
        cut: () => end(() => events.failed('stream_cut'))
      }
    )
    if ('cancel' in taken) return taken.cancel
    const { retryAfterMs } = taken
    end(() => events.failed('busy', retryAfterMs))
    return () => undefined
  }
}
