/** Up to the first token: a second node beside a late one, and one that is left for another. */
import { openCard, PotluckError, DEFAULT_TIMEOUTS } from '@potluck/protocol'
import type { Libp2p } from '@libp2p/interface'
import { afterEach, beforeEach, expect, test } from 'vitest'

import type { Sighting } from '../../../client/discover/known-node.ts'
import { Opening, type Opened, type OpeningContext } from '../../../client/generate/opening.ts'
import type { AcceptedPart } from '../../../client/generate/parts.ts'
import { MemoryReputationStore, Reputation } from '../../../client/reputation/index.ts'
import { toAsk, toRequest } from '../../../client/base/request.ts'
import { Offer, Selector, type NodeChoice, type SelectionRequest } from '../../../client/select/index.ts'
import { FakeNode, IDLE, startPeer, type Script } from './fake-node.ts'

const ASK = toAsk({ messages: [{ role: 'user', content: 'hello' }] })
const SELECTION: SelectionRequest = {
  promptTokens: 3,
  maxTokens: undefined,
  answerTokens: 10,
  prefixKeys: [],
  auditable: false
}
const FRIENDS = { localNode: undefined, trusted: new Set<string>() }

let own: Libp2p
let nodes: FakeNode[]
let reputation: Reputation

beforeEach(async () => {
  own = await startPeer()
  nodes = [await FakeNode.start(), await FakeNode.start()]
  reputation = new Reputation({ store: new MemoryReputationStore() })
})

afterEach(async () => {
  await Promise.all([...nodes, own].map(async (peer) => await peer.stop()))
})

interface Result {
  opened: Opened
  parts: AcceptedPart[]
  failures: PotluckError[]
}

/** Runs an opening over the nodes in their order, with what the selector decides changed. */
async function open(
  decisions: Partial<OpeningContext['selector']>,
  onFailure: () => void = () => undefined
): Promise<Result> {
  const sightings = await Promise.all(nodes.map(sight))
  const offers = sightings.map((sighting) => new Offer(sighting, sighting.card.models[0]!, [], FRIENDS))
  const selector = new Selector({ reputation, now: Date.now, random: () => 0.5 })
  // All of a kind, so the selector's own order does not matter.
  const choices = offers.map((offer) => [...selector.order([offer], SELECTION)][0]!)
  const failures: PotluckError[] = []
  const opening = new Opening(
    {
      next: async (start) => {
        const choice = choices.shift()
        if (choice === undefined) throw new PotluckError('no_providers', 'nobody is left')
        start(choice)
      },
      peek: (from, count) => choices.slice(from, from + count),
      take: (choice) => {
        const index = choices.findIndex(({ contender }) => contender.peer === choice.contender.peer)
        if (index >= 0) choices.splice(index, 1)
        return choice
      },
      renewed: (seen) => seen.map((sighting) => new Offer(sighting, sighting.card.models[0]!, [], FRIENDS)),
      selection: SELECTION
    },
    {
      sent: ({ contender: { node } }) => ({ request: toRequest(ASK, node.model), selection: SELECTION }),
      failed: (_, error) => {
        failures.push(error)
        onFailure()
      },
      part: ({ offer: { peer, digest } }, { promptTokens, queuePosition, estimatedWaitMs }) => ({
        type: 'accepted',
        peerId: peer,
        model: { digest, name: '' },
        promptTokens: promptTokens.length,
        queuePosition,
        estimatedWaitMs
      })
    },
    {
      network: { connect: async ({ addresses }, signal) => await own.dial([...addresses], { signal }) },
      directory: {
        reportLoad: () => undefined,
        look: async (peers) => await Promise.all(nodes.filter(({ peer }) => peers.includes(peer)).map(sight))
      },
      selector: {
        begin: (choice, request, hedge) => selector.begin(choice, request, hedge),
        hedgeAfterMs: () => Infinity,
        takeHedge: () => false,
        lookAround: () => [],
        better: () => undefined,
        ...decisions
      },
      timeouts: DEFAULT_TIMEOUTS,
      signal: new AbortController().signal
    }
  )
  const parts: AcceptedPart[] = []
  const run = opening.run()
  for (;;) {
    const { value, done } = await run.next()
    if (done === true) return { opened: value, parts, failures }
    parts.push(value)
  }
}

async function sight(node: FakeNode): Promise<Sighting> {
  const card = await openCard(await node.card(), { now: Date.now() })
  return { card, load: IDLE, loadAt: Date.now(), roundTripMs: 1, seenAt: Date.now() }
}

/** Takes the request and never begins; resolves when it is cancelled. */
function silent(node: FakeNode): Promise<void> {
  const cancelled = Promise.withResolvers<void>()
  node.serve = async (script) => {
    script.frames.closed.addEventListener('abort', () => cancelled.resolve())
    await script.accept()
  }
  return cancelled.promise
}

async function begin(script: Script): Promise<void> {
  await script.accept()
  await script.delta('Hel')
}

function counts(node: FakeNode): object {
  return [...reputation.peers()].find(({ peer }) => peer === node.peer)?.state.counts ?? {}
}

test('a late node is hedged; the first token wins, and the loser is cancelled without a failure', async () => {
  const [late, quick] = nodes as [FakeNode, FakeNode]
  const cancelled = silent(late)
  quick.serve = begin
  let asked = 0
  const { opened, parts, failures } = await open({
    hedgeAfterMs: () => 20,
    takeHedge: () => ++asked === 1
  })
  expect(opened.trial.offer.peer).toBe(quick.peer)
  expect(opened.first).toMatchObject({ type: 'delta', delta: { text: 'Hel' } })
  await cancelled
  expect(parts.at(-1)?.peerId).toBe(quick.peer)
  expect(failures).toEqual([])
  expect(Object.keys(counts(late)).filter((cause) => cause !== 'late')).toEqual([])
  await opened.trial.close()
})

test('of a hedge that loses the caller never hears', async () => {
  const [first, second] = nodes as [FakeNode, FakeNode]
  const cancelled = silent(second)
  const hedged = Promise.withResolvers<void>()
  first.serve = async (script) => {
    await script.accept()
    await hedged.promise
    await script.delta('Hel')
  }
  const serve = second.serve
  second.serve = async (script) => {
    await serve(script)
    hedged.resolve()
  }
  const { opened, parts } = await open({ hedgeAfterMs: () => 20, takeHedge: () => true })
  expect(opened.trial.offer.peer).toBe(first.peer)
  await cancelled
  expect(parts.map(({ peerId }) => peerId)).toEqual([first.peer])
  await opened.trial.close()
})

test('without the budget nothing is hedged', async () => {
  const [late, other] = nodes as [FakeNode, FakeNode]
  const asked = Promise.withResolvers<void>()
  late.serve = async (script) => {
    await script.accept()
    await asked.promise
    await script.delta('Hel')
  }
  const { opened } = await open({
    hedgeAfterMs: () => 20,
    takeHedge: () => {
      asked.resolve()
      return false
    }
  })
  expect(opened.trial.offer.peer).toBe(late.peer)
  expect(other.requests).toHaveLength(0)
  await opened.trial.close()
})

test('when one of two fails, the other goes on, and nobody else is asked', async () => {
  const [failing, other] = nodes as [FakeNode, FakeNode]
  const hedged = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<void>()
  failing.serve = async (script) => {
    await script.accept()
    await hedged.promise
    await script.error('engine_failed')
  }
  other.serve = async (script) => {
    await script.accept()
    hedged.resolve()
    await failed.promise
    await script.delta('Hel')
  }
  const { opened, failures } = await open({ hedgeAfterMs: () => 20, takeHedge: () => true }, failed.resolve)
  expect(opened.trial.offer.peer).toBe(other.peer)
  expect(failures.map(({ code }) => code)).toEqual(['engine_failed'])
  await opened.trial.close()
})

test('a node that lets wait is left for one that says it is quicker', async () => {
  const [waiting, quick] = nodes as [FakeNode, FakeNode]
  const cancelled = silent(waiting)
  quick.serve = begin
  const { opened, failures } = await open({
    lookAround: <N>(_record: unknown, next: (count: number) => Array<NodeChoice<never>>) =>
      next(3).map(({ contender }) => contender.node as N),
    better: (_record, others) =>
      [...new Selector({ reputation, now: Date.now, random: () => 0.5 }).order(others, SELECTION)][0]
  } as Partial<OpeningContext['selector']>)
  expect(opened.trial.offer.peer).toBe(quick.peer)
  await cancelled
  expect(failures).toEqual([])
  await opened.trial.close()
})
