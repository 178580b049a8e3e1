/** Embeddings use the same selection and records as answers: in flight, backoff, reputation and failover. */
import type { Libp2p } from '@libp2p/interface'
import { DEFAULT_TIMEOUTS, MAX_EMBED_TEXTS, type EmbedReply, type ModelCard } from '@potluck/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { SYSTEM_CLOCK } from '../../../client/base/clock.ts'
import { embed, type EmbedOptions, type EmbedResult } from '../../../client/embed.ts'
import { borrowNetwork } from '../../../client/network/create.ts'
import type { Reputation } from '../../../client/reputation/index.ts'
import type { Candidate, Selector } from '../../../client/select/index.ts'
import { FakeDirectory, newSelector } from '../../unit/select/fakes.ts'
import { model } from '../../unit/select/help.ts'
import { failureOf, FakeNode, startPeer } from './fake-node.ts'

const OTHER_DIGEST = new Uint8Array(32).fill(8)

let own: Libp2p
let nodes: FakeNode[]
let directory: FakeDirectory
let selector: Selector
let reputation: Reputation

beforeEach(async () => {
  own = await startPeer()
  nodes = []
})

afterEach(async () => {
  await Promise.all([...nodes, own].map(async (peer) => await peer.stop()))
})

/** Starts nodes that serve embeddings. The client prefers the first, because the others say that they are slow. */
async function start(...models: Partial<ModelCard>[]): Promise<FakeNode[]> {
  for (const [index, changes] of models.entries()) {
    const served = model({ features: ['embeddings'], prefillTokensPerSecond: index === 0 ? 1_000 : 10, ...changes })
    nodes.push(await FakeNode.start({ models: [served] }))
  }
  directory = new FakeDirectory(await Promise.all(nodes.map(async (node) => await node.known())))
  ;({ selector, reputation } = newSelector(directory))
  return nodes
}

async function ask({ signal = new AbortController().signal, ...options }: EmbedOptions): Promise<EmbedResult> {
  return await embed(options, {
    network: borrowNetwork(own, []),
    directory,
    selector,
    clock: SYSTEM_CLOCK,
    timeouts: DEFAULT_TIMEOUTS,
    signal
  })
}

function candidate(node: FakeNode): Candidate {
  const known = directory.nodes.find(({ card }) => card.peerId.toString() === node.peer)!
  return selector.candidate(known, known.card.models[0]!)
}

function counts(node: FakeNode): object {
  return reputation.state(node.peer, candidate(node).digest).counts
}

function refusal(code: 'busy' | 'engine_failed', retryAfterMs?: number): () => Promise<EmbedReply> {
  const reply = { type: 'error', code, detail: '' } as const
  return async () => (retryAfterMs === undefined ? reply : { ...reply, retryAfterMs })
}

test('a request counts as in flight until its reply, and the outcome is recorded', async () => {
  const [node] = (await start({})) as [FakeNode]
  const seen: number[] = []
  const { embed: honest } = node
  node.embed = async (request) => {
    seen.push(candidate(node).inFlight)
    return await honest(request)
  }
  const { vectors, peerId } = await ask({ input: ['a', 'b'] })
  expect([vectors.length, peerId]).toEqual([2, node.peer])
  expect([...seen, candidate(node).inFlight]).toEqual([1, 0])
  expect(counts(node)).toMatchObject({ served: { count: 1 } })
})

test('concurrent requests go to different nodes', async () => {
  const all = await start(...Array.from({ length: 3 }, () => ({ prefillTokensPerSecond: 1_000 })))
  // Each node is busy now, so every further request would wait.
  directory.nodes = directory.nodes.map((node) => ({ ...node, load: { ...node.load, active: 2 } }))
  const replies = await Promise.all(all.map(async () => await ask({ input: ['a'] })))
  expect(new Set(replies.map(({ peerId }) => peerId)).size).toBe(3)
})

test('the next request does not ask a node that asked for a pause', async () => {
  const [busy, other] = (await start({}, {})) as [FakeNode, FakeNode]
  busy.embed = refusal('busy', 60_000)
  for (let requests = 0; requests < 3; requests++) expect((await ask({ input: ['a'] })).peerId).toBe(other.peer)
  expect(busy.embedRequests).toHaveLength(1)
  expect(candidate(busy).notBefore).toBeGreaterThan(Date.now())
  expect(counts(busy)).toEqual({})
})

test('if the engine of a node fails, the node is blamed, and another node replies', async () => {
  const [failing, other] = (await start({}, {})) as [FakeNode, FakeNode]
  failing.embed = refusal('engine_failed')
  expect((await ask({ input: ['a'] })).peerId).toBe(other.peer)
  expect(counts(failing)).toMatchObject({ crashed: { count: 1 } })
  expect(candidate(failing).inFlight).toBe(0)
})

test('if a node is gone, the client drops its card, and another node replies', async () => {
  const [gone, other] = (await start({}, {})) as [FakeNode, FakeNode]
  await gone.stop()
  expect((await ask({ input: ['a'] })).peerId).toBe(other.peer)
  expect(directory.evicted).toEqual([gone.peer])
  expect(counts(gone)).toMatchObject({ unreachable: { count: 1 } })
})

test('the rest of the texts goes only to a node with the same weights', async () => {
  // Two of the three nodes serve the same digest, so the name means this digest.
  const [failing, same, other] = (await start({}, {}, { digest: OTHER_DIGEST })) as [FakeNode, FakeNode, FakeNode]
  const { embed: honest } = failing
  failing.embed = async (request) =>
    failing.embedRequests.length === 1 ? await honest(request) : await refusal('engine_failed')()
  const input = Array.from({ length: MAX_EMBED_TEXTS + 1 }, (_, index) => `text ${index}`)
  const { vectors, peerId } = await ask({ input, model: model().name })
  expect([vectors.length, peerId]).toEqual([input.length, same.peer])
  expect(same.embedRequests.map(({ texts }) => texts)).toEqual([input.slice(MAX_EMBED_TEXTS)])
  expect(other.embedRequests).toEqual([])
})

test('a caller that aborts leaves nothing in flight, and no node is blamed', async () => {
  const [node] = (await start({})) as [FakeNode]
  const stop = new AbortController()
  node.embed = async () => {
    stop.abort()
    return await new Promise<never>(() => undefined)
  }
  expect((await failureOf(ask({ input: ['a'], signal: stop.signal }))).code).toBe('aborted')
  reputation.reached()
  expect([candidate(node).inFlight, counts(node)]).toEqual([0, {}])
})

test('the client does not ask a node that serves no embeddings', async () => {
  const [node] = (await start({ features: ['chat'] })) as [FakeNode]
  const error = await failureOf(ask({ input: ['a'] }))
  expect(error.code).toBe('no_providers')
  expect(error.message).toContain('1 without a required feature')
  expect(node.embedRequests).toEqual([])
})
