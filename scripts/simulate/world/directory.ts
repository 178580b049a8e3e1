/**
 * Which peers a client knows of, whatever its policy: looked up every minute, as the real directory does.
 * Of thousands it knows some: a lookup gives 20, and what is known lasts for a while.
 */
import type { Member, Network } from './network.ts'

const LOOKUP_MS = 60_000
const MOST_KNOWN = 100

export class Directory {
  readonly #network: Network
  readonly #members: readonly Member[]
  #known: readonly Member[] = []
  #lookedUpAt = -Infinity

  constructor(network: Network) {
    const { members, random } = network
    this.#network = network
    this.#members = members.length <= MOST_KNOWN ? members : random.shuffled(members).slice(0, MOST_KNOWN)
  }

  readonly peers: () => readonly Member[] = () => {
    const now = this.#network.clock.now()
    if (now - this.#lookedUpAt >= LOOKUP_MS) {
      this.#lookedUpAt = now
      this.#known = this.#members.filter(({ peer }) => peer.alive)
    }
    return this.#known
  }

  /** It could not be reached. */
  readonly forget: (key: string) => void = (key) => {
    this.#known = this.#known.filter((member) => member.key !== key)
  }
}
