/**
 * A walk to the peers of the DHT that are closest to a key (Maymounkov and Mazières, "Kademlia", 2002, section 2.3). It
 * yields what each peer replies as soon as the reply arrives.
 *
 * `@libp2p/kad-dht` has its own walk. It stops after the first 20 providers, all from one peer, and a silent peer
 * delays it. Time and messages are parameters here, so the simulator runs the same walk over 100,000 peers.
 */
import { raceSignal } from 'race-signal'
import { xor } from 'uint8arrays/xor'
import { xorCompare } from 'uint8arrays/xor-compare'

import { KAD_ALPHA, KAD_K, MAX_WALK_REQUESTS, SLOW_KAD_PEER_MS } from '../constants.ts'
import type { KadPeer } from './message.ts'
import { kadId } from './topics.ts'

export interface WalkOptions<Reply extends { closer: readonly KadPeer[] }> {
  /** Peers of the DHT to begin with. */
  start: readonly KadPeer[]
  /** Asks one peer. It must reject after its own timeout. */
  ask: (peer: KadPeer, signal: AbortSignal) => Promise<Reply>
  /** Milliseconds. Rejects when the signal fires. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>
  signal: AbortSignal
  /** How many of the closest peers must reply. Default: `KAD_K`. */
  wanted?: number
  /** Requests at the same time. More of them find a key earlier and ask more peers. Default: `KAD_ALPHA`. */
  parallel?: number
}

interface Step {
  peer: KadPeer
  distance: Uint8Array
  state: 'new' | 'asked' | 'replied' | 'failed'
  isSlow?: boolean
}

export interface ClosestPeer {
  peer: KadPeer
  /** XOR distance to the key. */
  distance: Uint8Array
}

/**
 * Walks until the closest peers (`wanted`) have replied. Returns these, nearest first. A consumer that has enough
 * breaks out of the loop, which cancels the requests.
 *
 * A peer that has not replied after `SLOW_KAD_PEER_MS` no longer counts against the parallel requests, nor among the
 * closest peers that the walk asks. So silent peers cannot hold up the walk, even if a dishonest server names them as
 * the closest. The walk still waits for them before it ends.
 *
 * @param target the Kademlia id of the key: the SHA-256 of its multihash
 * @throws the signal's reason
 */
export async function* walk<Reply extends { closer: readonly KadPeer[] }>(
  target: Uint8Array,
  { start, ask, sleep, signal, wanted = KAD_K, parallel = KAD_ALPHA }: WalkOptions<Reply>
): AsyncGenerator<{ from: KadPeer; reply: Reply }, ClosestPeer[], void> {
  const left = new AbortController()
  const running = AbortSignal.any([signal, left.signal])
  const seen = new Set<string>()
  /** All peers seen that did not fail, nearest first. */
  let steps: Step[] = []
  const replies: { from: KadPeer; reply: Reply }[] = []
  let changed = Promise.withResolvers<void>()
  let asked = 0
  let fast = 0

  const add = (peers: readonly KadPeer[]): void => {
    for (const peer of peers) {
      const id = peer.peerId.toString()
      if (seen.has(id)) continue
      seen.add(id)
      const distance = xor(kadId(peer.peerId), target)
      steps.splice(firstFarther(steps, distance), 0, { peer, distance, state: 'new' })
    }
  }
  const request = (step: Step): void => {
    step.state = 'asked'
    asked++
    fast++
    let counted = true
    const notFast = (): void => {
      if (counted) fast--
      counted = false
      changed.resolve()
    }
    const onSlow = (): void => {
      step.isSlow = true
      notFast()
    }
    sleep(SLOW_KAD_PEER_MS, running).then(onSlow, () => undefined)
    ask(step.peer, running).then(
      (reply) => {
        step.state = 'replied'
        step.isSlow = false
        add(reply.closer)
        replies.push({ from: step.peer, reply })
        notFast()
      },
      () => {
        step.state = 'failed'
        steps = steps.filter((one) => one !== step)
        notFast()
      }
    )
  }

  add(start)
  try {
    for (;;) {
      signal.throwIfAborted()
      for (const step of steps.filter(({ isSlow }) => isSlow !== true).slice(0, wanted)) {
        if (fast >= parallel || asked >= MAX_WALK_REQUESTS) break
        if (step.state === 'new') request(step)
      }
      for (let next = replies.shift(); next !== undefined; next = replies.shift()) yield next
      const waits = steps.slice(0, wanted).some(({ state }) => state === 'asked')
      const canAsk = asked < MAX_WALK_REQUESTS && steps.slice(0, wanted).some(({ state }) => state === 'new')
      if (!waits && !canAsk) break
      if (waits || fast >= parallel) await raceSignal(changed.promise, signal)
      changed = Promise.withResolvers()
    }
  } finally {
    left.abort()
  }
  return steps
    .filter(({ state }) => state === 'replied')
    .slice(0, wanted)
    .map(({ peer, distance }) => ({ peer, distance }))
}

/** Steps are in the order of their distances. */
function firstFarther(steps: readonly Step[], distance: Uint8Array): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (xorCompare(steps[middle]!.distance, distance) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
