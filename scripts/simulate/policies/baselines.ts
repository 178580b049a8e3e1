/** What load balancers commonly do. None of them knows anything of honesty. */
import type { Candidate, Policy, PolicyContext, PublicPeer } from './policy.ts'

export type BaselineName = 'random' | 'round_robin' | 'least_of_two' | 'least_own_of_two'

export const BASELINES: Record<BaselineName, (context: PolicyContext) => Policy> = {
  random: randomChoice,
  round_robin: roundRobin,
  least_of_two: leastOfTwo,
  least_own_of_two: leastOwnOfTwo
}

function randomChoice({ peers, random }: PolicyContext): Policy {
  return { candidates: () => drawn(peers(), random) }
}

function roundRobin({ peers, random }: PolicyContext): Policy {
  // Clients that all began with the first peer would march in step.
  let next = Math.floor(random() * peers().length)
  return {
    *candidates() {
      const all = peers()
      for (let tries = 0; tries < all.length; tries++) yield candidate(all[next++ % all.length]!)
    }
  }
}

/** Of two random peers, the one that tells of fewer requests, asked at that moment. */
function leastOfTwo({ peers, random }: PolicyContext): Policy {
  return {
    candidates: () =>
      pairwise(drawn(peers(), random), ({ peer }) => {
        const { active, queued } = peer.load()
        return active + queued
      })
  }
}

/** Of two random peers, the one with fewer of this client's own requests: what proxies such as Envoy go by. */
function leastOwnOfTwo({ peers, random }: PolicyContext): Policy {
  const inFlight = new Map<string, number>()
  const change = (key: string, by: number): void => void inFlight.set(key, (inFlight.get(key) ?? 0) + by)
  return {
    candidates: () => pairwise(drawn(peers(), random), ({ key }) => inFlight.get(key) ?? 0),
    begin({ key }) {
      change(key, 1)
      const ended = (): void => change(key, -1)
      return { accepted: () => undefined, firstToken: () => undefined, complete: ended, failed: ended, left: ended }
    }
  }
}

function* pairwise(left: Iterator<Candidate>, weight: (candidate: Candidate) => number): Generator<Candidate> {
  for (;;) {
    const [first, second] = [left.next(), left.next()]
    if (first.done === true) return
    if (second.done === true) yield first.value
    else yield weight(second.value) < weight(first.value) ? second.value : first.value
  }
}

function candidate(peer: PublicPeer): Candidate {
  return { peer, key: peer.key }
}

/** A random order, worked out as far as it is asked for. */
function* drawn(peers: readonly PublicPeer[], random: () => number): Generator<Candidate, void, void> {
  const left = [...peers]
  while (left.length > 0) {
    const index = Math.floor(random() * left.length)
    const peer = left[index]!
    left[index] = left.at(-1)!
    left.pop()
    yield candidate(peer)
  }
}
