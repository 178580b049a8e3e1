/** What a client learns of nodes through its answers, and what it does with that. */
import { createClient, type Client, type ClientOptions, type PeerStanding } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'
import type { Libp2p } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { FakeNode, model, sayHello, startPeer, type FakeNodeOptions, type Script } from './fake-node.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const

let relay: Libp2p
let bootstrap: string
let nodes: FakeNode[]
let clients: Client[]

beforeEach(async () => {
  relay = await startPeer()
  bootstrap = String(relay.getMultiaddrs()[0])
  nodes = []
  clients = []
})

afterEach(async () => {
  await Promise.all(clients.map(async (client) => await client.stop()))
  await Promise.all(nodes.map(async (node) => await node.stop()))
  await relay.stop()
})

async function add(options: FakeNodeOptions = {}): Promise<FakeNode> {
  const node = await FakeNode.start({ bootstrap, ...options })
  nodes.push(node)
  return node
}

async function connect(options: ClientOptions = {}): Promise<Client> {
  const client = await createClient({ bootstrap: [bootstrap], mdns: false, ...options })
  clients.push(client)
  return client
}

/** A client that knows all nodes. */
async function connected(options: ClientOptions = {}): Promise<Client> {
  const client = await connect(options)
  expect((await client.models())[0]?.nodes).toBe(nodes.length)
  return client
}

async function ask(client: Client, signal?: AbortSignal): Promise<string> {
  const options = signal === undefined ? {} : { signal }
  return (await client.chat({ messages: MESSAGES, ...options }).result()).metadata.peerId
}

function standingOf(client: Client, node: FakeNode): PeerStanding {
  const found = client.standing().find(({ peerId }) => peerId === node.peer)
  if (found === undefined) throw new Error('the node is not known')
  return found
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return await promise.then(
    () => undefined,
    (error: unknown) => (error instanceof PotluckError ? error.code : String(error))
  )
}

describe('moves no score:', () => {
  /** The score and all that is counted, before and after. */
  async function unmoved(client: Client, meanwhile: () => Promise<void>): Promise<void> {
    // Whoever is known has answered before: a score is there to be moved.
    const before = new Map<string, PeerStanding>()
    for (const node of nodes) before.set(node.peer, standingOf(client, node))
    await meanwhile()
    for (const node of nodes) {
      const { reliability, answers, reasons } = standingOf(client, node)
      const then = before.get(node.peer)
      // Evidence fades by the millisecond.
      expect(reliability).toBeCloseTo(then?.reliability ?? Number.NaN, 3)
      expect(answers).toBe(then?.answers)
      expect(reasons.filter((reason) => /cut|stalled|silent|unreachable|protocol|failed,/.test(reason))).toEqual([])
    }
  }

  test("a caller's abort", async () => {
    const node = await add()
    const client = await connected()
    await ask(client)
    await unmoved(client, async () => {
      const reached = Promise.withResolvers<void>()
      node.serve = async (script) => {
        await script.accept()
        reached.resolve()
      }
      const stop = new AbortController()
      const answer = codeOf(ask(client, stop.signal))
      await reached.promise
      stop.abort()
      expect(await answer).toBe('aborted')
    })
  })

  test('an honest busy', async () => {
    const node = await add()
    const client = await connected()
    await ask(client)
    await unmoved(client, async () => {
      node.serve = async (script) => await script.error('busy', 3_600_000)
      expect(await codeOf(ask(client))).toBe('busy')
    })
  })

  test('a mismatch of versions', async () => {
    const node = await add()
    const client = await connected()
    await ask(client)
    await unmoved(client, async () => {
      node.serve = async (script) => await script.error('unsupported')
      expect(await codeOf(ask(client))).toBe('unsupported')
    })
  })

  test("the loss of the client's own network", async () => {
    await Promise.all([add(), add(), add(), add()])
    let lost = false
    const gone = (): boolean => lost
    // Nothing goes out, and nothing comes in: the nodes have this peer in their tables, and dial it.
    const own = await startPeer(undefined, {
      denyDialPeer: gone,
      denyInboundConnection: gone,
      denyOutboundUpgradedConnection: gone,
      denyInboundUpgradedConnection: gone
    })
    const client = await connected({ libp2p: own })
    for (let answers = 0; answers < 8; answers++) await ask(client)
    await unmoved(client, async () => {
      lost = true
      await Promise.all(own.getConnections().map(async (connection) => await connection.close()))
      expect(await codeOf(ask(client))).toBe('no_providers')
      lost = false
      // It counts an answer, but for nobody that it was kept from.
      await Promise.all(nodes.map(async ({ libp2p }) => await own.dial(libp2p.getMultiaddrs())))
      const probe = client.chat({ messages: MESSAGES })[Symbol.asyncIterator]()
      expect((await probe.next()).value).toMatchObject({ type: 'accepted' })
      await probe.return?.()
      // The cards were forgotten with the dials that failed; the first that came back was enough for the answer.
      expect((await client.models())[0]?.nodes).toBe(nodes.length)
    })
    await own.stop()
  })
})

test('a node that cuts its answers is blamed once another shows that the network works, and left', async () => {
  const bad = await add()
  bad.serve = async (script) => {
    await script.accept()
    await script.delta('Hel')
    script.frames.abort(new Error('gone'))
  }
  // Among newcomers chance decides: there is one to begin with.
  const client = await connected()
  const good = await add()
  good.serve = async (script) => {
    await script.accept()
    await script.delta('lo')
    await script.done()
  }
  expect(await ask(client)).toBe(good.peer)
  expect(standingOf(client, bad).reasons.join()).toContain('cut off: 1 answer,')
  expect(standingOf(client, good)).toMatchObject({ answers: 1, share: 1 })
  expect(client.explain(bad.peer)).toEqual(standingOf(client, bad).reasons)
  expect(client.explain('nobody')).toEqual([])
})

test('what was learnt is there for the next client with the same store', async () => {
  const node = await add()
  const kept = new Map<string, string>()
  const store = {
    load: () =>
      [...kept].map(([key, state]) => ({
        ...(JSON.parse(key) as { peer: string; digest: string }),
        state: JSON.parse(state) as never
      })),
    save: ({ peer, digest, state }: { peer: string; digest: string; state: unknown }) =>
      void kept.set(JSON.stringify({ peer, digest }), JSON.stringify(state)),
    remove: () => undefined,
    keep: () => undefined,
    kept: () => [],
    close: () => undefined
  }
  const reputation = { store, onStoreError: (error: Error) => expect.fail(error.message) }
  const first = await connected({ reputation })
  await ask(first)
  await first.stop()
  const second = await connect({ reputation })
  expect(second.standing()).toMatchObject([{ peerId: node.peer, answers: 1, seen: false }])
})

test('a store that cannot write fails no answer', async () => {
  await add()
  const full = (): never => {
    throw new Error('disk full')
  }
  const errors: string[] = []
  const store = { load: () => [], save: full, remove: full, keep: full, kept: () => [], close: () => undefined }
  const client = await connected({ reputation: { store, onStoreError: ({ message }) => errors.push(message) } })
  await ask(client)
  expect(errors).toContain('disk full')
  expect(client.standing()).toMatchObject([{ answers: 1 }])
})

describe('whom the user allows', () => {
  test('the own node first while it is free, however slow', async () => {
    const own = await add({ models: [model({ decodeTokensPerSecond: 1 })] })
    const other = await add({ models: [model({ decodeTokensPerSecond: 1_000 })] })
    const client = await connected({ localNode: own.peer })
    expect(await ask(client)).toBe(own.peer)
    own.serve = async (script) => await script.error('busy', 3_600_000)
    expect(await ask(client)).toBe(other.peer)
    expect(standingOf(client, own).local).toBe(true)
  })

  test('the own node alone', async () => {
    const own = await add({ models: [model({ decodeTokensPerSecond: 1 })] })
    const other = await add()
    const client = await connected({ localNode: own.peer, mode: 'local' })
    expect(await ask(client)).toBe(own.peer)
    await own.stop()
    expect(await codeOf(ask(client))).toBe('dial_failed')
    expect(other.requests).toHaveLength(0)
  })

  test('trusted nodes alone; else the failure says why', async () => {
    const [friend, other] = [await add(), await add()]
    expect(await ask(await connected({ trusted: [friend.peer], mode: 'trusted' }))).toBe(friend.peer)
    expect(other.requests).toHaveLength(0)
    const stranger = await connected({ mode: 'trusted' })
    await expect(ask(stranger)).rejects.toThrow('2 not among the trusted')
  })
})

test('the next turn goes to the node that gave the last', async () => {
  for (let count = 0; count < 4; count++) await add()
  const client = await connected()
  const messages: Array<{ role: 'user' | 'assistant'; content: string }> = []
  const peers = new Set<string>()
  for (let turn = 0; turn < 5; turn++) {
    messages.push({ role: 'user', content: `turn ${turn}` })
    const { text, metadata } = await client.chat({ messages: [...messages] }).result()
    messages.push({ role: 'assistant', content: text })
    peers.add(metadata.peerId)
  }
  expect(peers.size).toBe(1)
})

test('requests that come at once are spread over nodes of which nothing is known', async () => {
  for (let count = 0; count < 4; count++) await add()
  const client = await connected()
  const answers = nodes.map(() => client.chat({ messages: MESSAGES, shareable: true }).result())
  const peers = (await Promise.all(answers)).map(({ metadata }) => metadata.peerId)
  expect(new Set(peers).size).toBe(4)
})

test('a node that asked to be left alone is left alone by the next requests too', async () => {
  const busy = await add()
  busy.serve = async (script) => await script.error('busy', 60_000)
  const client = await connected()
  const other = await add()
  for (let requests = 0; requests < 5; requests++) expect(await ask(client)).toBe(other.peer)
  expect(busy.requests).toHaveLength(1)
})

describe('another model', () => {
  const large = model({ name: 'a/large:Q8_0', digest: new Uint8Array(32).fill(2), parameters: 1e9 })
  const begin = async (script: Script): Promise<void> => {
    await script.accept()
    await script.delta('Hel')
    await script.error('engine_failed')
  }

  test('goes on only if the caller allows it, and the metadata says so', async () => {
    const first = await add({ models: [large] })
    const other = await add()
    first.serve = begin
    other.serve = async (script) => {
      await script.accept()
      await script.delta('lo')
      await script.done()
    }
    const client = await connect()
    await client.models()
    expect(await codeOf(client.chat({ messages: MESSAGES, model: large.name }).text())).toBe('engine_failed')
    expect(other.requests).toHaveLength(0)

    await client.models()
    const answer = client.chat({ messages: MESSAGES, model: large.name, otherModels: true, maxTokens: 100 })
    expect(await answer.text()).toBe('Hello')
    const { metadata } = await answer.result()
    expect(metadata).toMatchObject({
      peerId: other.peer,
      beginning: { model: { name: large.name }, tokens: 1 },
      failures: [{ peerId: first.peer, code: 'engine_failed', tokens: 1 }]
    })
    expect(other.requests[0]?.request).toMatchObject({
      maxTokens: 99,
      input: { messages: [...MESSAGES, { role: 'assistant', content: 'Hel' }] }
    })
    expect(other.requests[0]?.request.continuation).toBeUndefined()
  })

  test('begins anew where there was no token yet', async () => {
    const first = await add({ models: [large] })
    const other = await add()
    first.serve = async (script) => await script.error('engine_failed')
    other.serve = sayHello
    const client = await connect()
    await client.models()
    const answer = client.chat({ messages: MESSAGES, model: large.name, otherModels: true })
    expect(await answer.text()).toBe('Hello')
    const { metadata } = await answer.result()
    expect(metadata.peerId).toBe(other.peer)
    expect(metadata.beginning).toBeUndefined()
  })
})
