/** The selector's memory: one request after the other, as the client makes them. */
import { expect, test } from 'vitest'
import { MemoryReputationStore, Reputation } from '../../../client/reputation/index.ts'
import { Selector, type AttemptResult, type KnownNode, type SelectionRequest } from '../../../client/select/index.ts'
import { complete } from '../reputation/help.ts'
import { NOW, seeded } from './help.ts'

const DIGEST = 'sha256:aa'
const REQUEST: SelectionRequest = {
  promptTokens: 2_000,
  maxTokens: 500,
  answerTokens: 200,
  prefixKeys: ['turn-1'],
  auditable: true
}
const CLAIMS = { prefillTokensPerSecond: 600, decodeTokensPerSecond: 50 }
const RESULT: AttemptResult = {
  promptTokens: 2_000,
  cachedTokens: 0,
  completionTokens: 200,
  decodeMs: 4_000,
  longestGapMs: 50,
  prefixKey: 'turn-1-answered'
}

class World {
  at = NOW
  readonly reputation = new Reputation({ store: new MemoryReputationStore(), now: () => this.at })
  readonly selector = new Selector({
    reputation: this.reputation,
    now: () => this.at,
    random: seeded()
  })

  node(peer: string, changes: Partial<KnownNode> = {}): KnownNode {
    return {
      peer,
      digest: DIGEST,
      local: false,
      trusted: true,
      draining: false,
      suitable: true,
      contextLength: 8_192,
      claims: CLAIMS,
      roundTripMs: 40,
      load: { active: 0, queued: 0, slots: 2, estimatedWaitMs: 0 },
      loadAt: this.at,
      ...changes
    }
  }

  /** As reliable as can be, so that the draw decides nothing. */
  known(peer: string, changes: Partial<KnownNode> = {}): KnownNode {
    for (let answer = 0; answer < 300; answer++) this.reputation.observe(peer, DIGEST, complete({ claims: CLAIMS }))
    return this.node(peer, changes)
  }

  first(nodes: readonly KnownNode[], request = REQUEST): NonNullable<ReturnType<World['all']>[number]> {
    const [choice] = this.all(nodes, request)
    if (choice === undefined) throw new Error('Nobody was chosen.')
    return choice
  }

  all(nodes: readonly KnownNode[], request = REQUEST) {
    return [...this.selector.order(nodes, request)]
  }
}

test('the next turn goes to the node that answered the last one', () => {
  const world = new World()
  const nodes = [
    world.known('fast', { claims: { prefillTokensPerSecond: 1_500, decodeTokensPerSecond: 60 } }),
    world.known('holder')
  ]
  const choice = world.all(nodes).find(({ contender }) => contender.peer === 'holder')!
  const record = world.selector.begin(choice, REQUEST)
  record.accepted(0)
  world.at += 2_000
  record.firstToken()
  world.at += 4_000
  record.complete(RESULT)
  const next = { ...REQUEST, promptTokens: 2_300, prefixKeys: ['turn-1', 'turn-1-answered', 'turn-2'] }
  expect(world.first(nodes, next)).toMatchObject({
    why: 'holds_prefix',
    contender: { peer: 'holder', cachedTokens: 2_200 }
  })
  expect(world.reputation.state('holder', DIGEST).counts.complete?.count).toBe(301)
})

test('a refusal puts a node to the end until the time that it named; accepting ends that', () => {
  const world = new World()
  const nodes = [world.known('a'), world.known('b', { roundTripMs: 900 })]
  const choice = world.first(nodes)
  expect(choice.contender.peer).toBe('a')
  world.selector.begin(choice, REQUEST).failed('busy', 5_000)
  expect(world.all(nodes).map(({ contender }) => contender.peer)).toEqual(['b', 'a'])
  world.at += 5_001
  expect(world.first(nodes).contender.peer).toBe('a')
  expect(Object.keys(world.reputation.state('a', DIGEST).counts)).toEqual(['complete'])
})

test('requests under way count until they end, however they end', () => {
  const world = new World()
  const node = world.node('a', { loadAt: NOW - 1 })
  const end: Array<(record: ReturnType<Selector['begin']>) => void> = [
    (record) => record.complete(RESULT),
    (record) => record.failed('aborted'),
    (record) => record.left()
  ]
  const records = end.map(() => world.selector.begin(world.first([node]), REQUEST))
  expect(world.first([node]).contender).toMatchObject({ inFlight: 3, sentSince: 3 })
  end.forEach((finish, index) => finish(records[index]!))
  expect(world.first([node]).contender.inFlight).toBe(0)
})

test('a request that waits longer than told looks around and moves, and the wait is remembered', () => {
  const world = new World()
  const nodes = [world.known('liar'), world.known('other', { roundTripMs: 900 })]
  const choice = world.first(nodes)
  const record = world.selector.begin(choice, REQUEST)
  record.accepted(0)
  const next = (): ReturnType<World['all']> => world.all([nodes[1]!])
  world.at += 1_000
  expect(world.selector.lookAround(record, next)).toEqual([])
  world.at += 30_000
  const others = world.selector.lookAround(record, next)
  expect(others).toEqual([nodes[1]])
  expect(world.selector.better(record, others, REQUEST)?.contender.peer).toBe('other')
  record.left()
  expect(world.first(nodes).contender.peer).toBe('other')
  expect(world.reputation.score('liar', DIGEST).reliabilityMean).toBe(
    world.reputation.score('other', DIGEST).reliabilityMean
  )
})

test('an answer that was left after its first token, as the slower of two, says nothing', () => {
  const world = new World()
  const record = world.selector.begin(world.first([world.node('a')]), REQUEST)
  record.firstToken()
  world.at += 60_000
  record.left()
  expect(world.reputation.state('a', DIGEST).counts).toEqual({})
})

test('hedges go to proven nodes, within the budget', () => {
  const world = new World()
  const known = world.first([world.node('a')])
  const newcomer = world.first([world.node('new', { trusted: false })])
  for (let request = 0; request < 40; request++) {
    const record = world.selector.begin(known, REQUEST)
    world.at += 2_500
    record.firstToken()
    record.complete(RESULT)
  }
  expect(world.selector.hedgeAfterMs(known)).toBeLessThan(10_000)
  expect(world.selector.takeHedge(newcomer)).toBe(false)
  expect(world.selector.takeHedge(known)).toBe(true)
  expect(world.selector.takeHedge(known)).toBe(false)
})
