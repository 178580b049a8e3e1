import { setTimeout as sleep } from 'node:timers/promises'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { createClient, type AnswerPart, type Client } from '@potluck/client'
import { CREDIT_BATCH, CREDIT_WINDOW, PotluckError, type ErrorCode, type PhaseTimeouts } from '@potluck/protocol'
import type { Libp2p } from '@libp2p/interface'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { FakeNode, sayHello, startPeer, type Script } from './fake-node.ts'

/** Short where a test waits for them, else far beyond what a busy machine needs. */
const PATIENT: Partial<PhaseTimeouts> = { admissionMs: 30_000, firstTokenMs: 30_000, tokenMs: 30_000 }

let relay: Libp2p
let node: FakeNode
let bootstrap: string
const clients: Client[] = []

beforeAll(async () => {
  relay = await startPeer()
  bootstrap = String(relay.getMultiaddrs()[0])
  node = await FakeNode.start({ bootstrap })
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (client) => await client.stop()))
  node.serve = sayHello
})

afterAll(async () => {
  await node.stop()
  await relay.stop()
})

async function connect(timeouts: Partial<PhaseTimeouts> = PATIENT): Promise<Client> {
  const client = await createClient({ bootstrap: [bootstrap], mdns: false, timeouts })
  clients.push(client)
  return client
}

async function ask(client: Client, maxTokens?: number): Promise<AnswerPart[]> {
  const parts: AnswerPart[] = []
  const messages = [{ role: 'user', content: 'hello' }] as const
  for await (const part of client.chat({ messages, ...(maxTokens === undefined ? {} : { maxTokens }) }))
    parts.push(part)
  return parts
}

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason
  )
  return error instanceof PotluckError ? error.code : undefined
}

test('an answer has its parts in order, and its metadata', async () => {
  const parts = await ask(await connect())
  expect(parts.map(({ type }) => type)).toEqual(['accepted', 'delta', 'delta', 'finish'])
  const finish = parts.at(-1)
  if (finish?.type !== 'finish') throw new Error('no finish')
  expect(finish).toMatchObject({
    finishReason: 'stop',
    usage: { promptTokens: 3, completionTokens: 2 },
    metadata: { peerId: node.peer, relayed: false, encryption: '/noise', muxer: '/yamux/1.0.0', failures: [] }
  })
  expect(finish.metadata.address).toContain(node.peer)
  expect(finish.metadata.totalMs).toBeGreaterThanOrEqual(finish.metadata.ttftMs)
})

describe('what no honest node sends is a protocol violation', () => {
  const cases: Record<string, (script: Script) => Promise<void>> = {
    'a delta before accepted': async (script) => await script.delta('x'),
    'accepted twice': async (script) => {
      await script.accept()
      await script.accept()
    },
    'done before accepted': async (script) => await script.done(),
    'usage that does not count the tokens': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ completionTokens: 2 })
    },
    'a receipt for other tokens': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { answerWindows: [new Uint8Array(32)] } })
    },
    'a receipt for another prompt': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { promptDigest: new Uint8Array(32) } })
    },
    'a receipt for another request': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { requestDigest: new Uint8Array(32) } })
    },
    'a receipt for another model': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { modelDigest: new Uint8Array(32) } })
    },
    'a receipt that another key signed': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ key: await generateKeyPair('Ed25519') })
    },
    'more tokens than were asked for': async (script) => {
      await script.accept()
      await script.delta(
        'x',
        Array.from({ length: 9 }, () => 1)
      )
    },
    'more tokens than were granted': async (script) => {
      await script.accept()
      await script.delta(
        'x',
        Array.from({ length: CREDIT_WINDOW + 1 }, () => 1)
      )
    },
    'bytes that are no frame': async (script) => {
      await script.accept()
      await script.frames.send(new Uint8Array(99).fill(255), { timeoutMs: 20_000, timeoutCode: 'token_timeout' })
    }
  }

  for (const [name, serve] of Object.entries(cases)) {
    test(name, async () => {
      node.serve = serve
      const client = await connect()
      expect(await codeOf(ask(client, name.includes('granted') ? 400 : 8))).toBe('protocol_violation')
    })
  }
})

describe('each phase has a code of its own', () => {
  test('nothing after the request', async () => {
    node.serve = async () => {}
    expect(await codeOf(ask(await connect({ ...PATIENT, admissionMs: 50 })))).toBe('admission_timeout')
  })

  test('nothing after accepted', async () => {
    node.serve = async (script) => await script.accept()
    expect(await codeOf(ask(await connect({ ...PATIENT, firstTokenMs: 50 })))).toBe('first_token_timeout')
  })

  test('the wait that accepted told is waited for', async () => {
    node.serve = async (script) => {
      await script.accept(30_000)
      // Longer than the client's own patience, which is what has to pass.
      await sleep(100)
      await script.delta('late')
      await script.done()
    }
    expect(await ask(await connect({ ...PATIENT, firstTokenMs: 50 }))).toHaveLength(3)
  })

  test('nothing after a token', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
    }
    expect(await codeOf(ask(await connect({ ...PATIENT, tokenMs: 50 })))).toBe('token_timeout')
  })

  test('an end without a terminal frame', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      await script.frames.close()
    }
    expect(await codeOf(ask(await connect()))).toBe('stream_cut')
  })

  test('a reset', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      script.frames.abort(new Error('gone'))
    }
    expect(await codeOf(ask(await connect()))).toBe('stream_cut')
  })

  test('an error of the node', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      await script.error('engine_failed')
    }
    expect(await codeOf(ask(await connect()))).toBe('engine_failed')
  })
})

test('credit is given back as the caller takes the tokens', async () => {
  const grants: number[] = []
  const batch = Array.from({ length: CREDIT_BATCH }, () => 1)
  node.serve = async (script) => {
    await script.accept()
    for (let sent = 0; sent < 2 * CREDIT_WINDOW; sent += CREDIT_BATCH) {
      await script.delta('x', batch)
      if (sent >= CREDIT_WINDOW - CREDIT_BATCH) grants.push(await script.credit())
    }
    await script.done()
  }
  const parts = await ask(await connect(), 600)
  expect(parts.at(-1)?.type).toBe('finish')
  expect(grants.every((tokens) => tokens === CREDIT_BATCH)).toBe(true)
})

test('a caller that takes nothing gives no credit', async () => {
  const stopped = Promise.withResolvers<ErrorCode | undefined>()
  node.serve = async (script) => {
    await script.accept()
    await script.delta(
      'x',
      Array.from({ length: CREDIT_WINDOW }, () => 1)
    )
    stopped.resolve(await codeOf(script.frames.receive({ timeoutMs: 200, timeoutCode: 'caller_stalled' })))
  }
  const client = await connect()
  const messages = [{ role: 'user', content: 'hello' }] as const
  const parts = client.chat({ messages, maxTokens: 500 })[Symbol.asyncIterator]()
  await parts.next()
  await parts.next()
  expect(await stopped.promise).toBe('caller_stalled')
  await parts.return?.()
})
