/** Which peers a client knows of, whatever its policy: looked up every minute, as the real directory does. */
import type { Member, Network } from './network.ts'

const LOOKUP_MS = 60_000

export class Directory {
  readonly #network: Network
  #known: readonly Member[] = []
  #lookedUpAt = -Infinity

  constructor(network: Network) {
    this.#network = network
  }

  readonly peers: () => readonly Member[] = () => {
    const now = this.#network.clock.now()
    if (now - this.#lookedUpAt >= LOOKUP_MS) {
      this.#lookedUpAt = now
      this.#known = this.#network.members.filter(({ peer }) => peer.alive)
    }
    return this.#known
  }

  /** It could not be reached. */
  readonly forget: (key: string) => void = (key) => {
    this.#known = this.#known.filter((member) => member.key !== key)
  }
}
