/** One attempt at one node: its parts, the code of each phase that can fail, and the credit. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { createClient, type AnswerPart, type Client } from '@potluck/client'
import { CREDIT_BATCH, CREDIT_WINDOW, RECEIPT_WINDOW, RENDERING, type PhaseTimeouts } from '@potluck/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { failureOf, FakeNode, startPeer } from './fake-node.ts'
import { sayHello, type Script } from './script.ts'

/** Tokens that complete a window. */
const WINDOW = Array.from({ length: RECEIPT_WINDOW }, (_, index) => index)
/** Far longer than a busy machine needs. A test that waits for a timeout makes that timeout short. */
const LONG: Partial<PhaseTimeouts> = { admissionMs: 30_000, firstTokenMs: 30_000, tokenMs: 30_000 }

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

async function connect(timeouts: Partial<PhaseTimeouts> = LONG): Promise<Client> {
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

test('the parts of an answer arrive in order, with the metadata', async () => {
  const parts = await ask(await connect())
  expect(parts.map(({ type }) => type)).toEqual(['accepted', 'delta', 'delta', 'finish'])
  const finish = parts.at(-1)
  if (finish?.type !== 'finish') throw new Error('the last part is not `finish`')
  expect(finish).toMatchObject({
    finishReason: 'stop',
    usage: { promptTokens: 3, completionTokens: 2 },
    metadata: { peerId: node.peer, relayed: false, encryption: '/noise', muxer: '/yamux/1.0.0', failures: [] }
  })
  expect(finish.metadata.address).toContain(node.peer)
  expect(finish.metadata.totalMs).toBeGreaterThanOrEqual(finish.metadata.ttftMs)
})

describe('the client reports a protocol violation for', () => {
  const cases: Record<string, (script: Script) => Promise<void>> = {
    'a delta before `accepted`': async (script) => await script.delta('x'),
    'accepted twice': async (script) => {
      await script.accept()
      await script.accept()
    },
    'progress after a token': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.send({ type: 'progress', estimatedWaitMs: 0, evaluated: 3 })
    },
    'progress beyond the prompt': async (script) => {
      await script.accept()
      await script.send({ type: 'progress', estimatedWaitMs: 0, evaluated: 4 })
    },
    'done before accepted': async (script) => await script.done(),
    'usage that does not agree with the tokens': async (script) => {
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
    'a receipt for other text': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { contentDigest: new Uint8Array(32) } })
    },
    'a receipt for earlier content of an answer that the node did not continue': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { earlierContentDigest: new Uint8Array(32) } })
    },
    'a receipt with other timings': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { timings: { queueMs: 0, prefillMs: 1, decodeMs: 2 } } })
    },
    'log-probabilities that the request does not ask for': async (script) => {
      await script.accept()
      const chosen = { token: 10, logprob: -1, bytes: new Uint8Array() }
      await script.send({ type: 'delta', delta: { tokens: [10], text: 'x', logprobs: [{ chosen, top: [] }] } })
    },
    'a receipt that another key signed': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ key: await generateKeyPair('Ed25519') })
    },
    ...Object.fromEntries(
      Object.entries({
        'a window that the node does not sign': false as const,
        'the signature of other tokens, if the node then fails': { digest: new Uint8Array(32) },
        'the signature of another request, if the node then fails': { requestDigest: new Uint8Array(32) },
        'the signature of another position, if the node then fails': { firstPosition: 1 },
        'the signature of more tokens, if the node then fails': { tokens: 128 },
        'the signature of another rendering, if the node then fails': { rendering: RENDERING + 1 }
      }).map(([name, changes]) => [
        name,
        async (script: Script) => {
          await script.accept()
          await script.delta('x', WINDOW, changes)
          if (changes !== false) await script.error('engine_failed')
        }
      ])
    ),
    'a rejected continuation, although it continues nothing': async (script) =>
      await script.error('continuation_rejected'),
    'a signature before the window is complete': async (script) => {
      await script.accept()
      const window = { signature: await script.windowSignature(), fingerprints: new Uint8Array() }
      await script.send({ type: 'delta', delta: { tokens: [1], text: 'x' }, window })
    },
    'a window without its fingerprints': async (script) => {
      await script.accept()
      const window = { signature: await script.windowSignature(), fingerprints: new Uint8Array() }
      await script.send({ type: 'delta', delta: { tokens: WINDOW, text: 'x' }, window })
    },
    'other fingerprints than the receipt has': async (script) => {
      await script.accept()
      await script.delta('x')
      await script.done({ receipt: { fingerprintDigest: new Uint8Array(32) } })
    },
    'more tokens than the request allows': async (script) => {
      await script.accept()
      await script.delta(
        'x',
        Array.from({ length: 9 }, () => 1)
      )
    },
    'more tokens than the client granted': async (script) => {
      await script.accept()
      await script.delta(
        'x',
        Array.from({ length: CREDIT_WINDOW + 1 }, () => 1)
      )
    },
    'bytes that are not a frame': async (script) => {
      await script.accept()
      await script.frames.send(new Uint8Array(99).fill(255), { timeoutMs: 20_000, timeoutCode: 'token_timeout' })
    }
  }

  for (const [name, serve] of Object.entries(cases)) {
    test(name, async () => {
      node.serve = serve
      const client = await connect()
      const { code, peer } = await failureOf(ask(client, name.includes('the request allows') ? 8 : 400))
      expect([code, peer]).toEqual(['protocol_violation', node.peer])
    })
  }
})

describe('each phase has its own code:', () => {
  test('silence after the request', async () => {
    node.serve = async () => {}
    expect((await failureOf(ask(await connect({ ...LONG, admissionMs: 50 })))).code).toBe('admission_timeout')
  })

  test('silence after `accepted`', async () => {
    node.serve = async (script) => await script.accept()
    expect((await failureOf(ask(await connect({ ...LONG, firstTokenMs: 50 })))).code).toBe('first_token_timeout')
  })

  test('progress without a token', async () => {
    node.serve = async (script) => {
      await script.accept(30_000)
      for (const evaluated of [1, 2, 3]) await script.send({ type: 'progress', estimatedWaitMs: 0, evaluated })
    }
    const short = await connect({ ...LONG, progressMs: 50 })
    expect((await failureOf(ask(short))).code).toBe('first_token_timeout')
  })

  test('the wait that `accepted` reported is added to the timeout of the first token', async () => {
    const outlasted = Promise.withResolvers<void>()
    const accepted = Promise.withResolvers<void>()
    node.serve = async (script) => {
      await script.accept(30_000)
      accepted.resolve()
      await outlasted.promise
      await script.delta('late')
      await script.done()
    }
    const client = await connect({ ...LONG, firstTokenMs: 50 })
    const waiting = ask(client)
    await accepted.promise
    // A later request without such a wait reaches the timeout first.
    node.serve = async (script) => await script.accept()
    expect((await failureOf(ask(client))).code).toBe('first_token_timeout')
    outlasted.resolve()
    expect(await waiting).toHaveLength(3)
  })

  test('silence after a token', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
    }
    expect((await failureOf(ask(await connect({ ...LONG, tokenMs: 50 })))).code).toBe('token_timeout')
  })

  test('a stream that ends without a terminal frame', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      await script.frames.close()
    }
    expect((await failureOf(ask(await connect()))).code).toBe('stream_cut')
  })

  test('a reset', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      script.frames.abort(new Error('gone'))
    }
    expect((await failureOf(ask(await connect()))).code).toBe('stream_cut')
  })

  test('an error frame of the node', async () => {
    node.serve = async (script) => {
      await script.accept()
      await script.delta('x')
      await script.error('engine_failed')
    }
    expect((await failureOf(ask(await connect()))).code).toBe('engine_failed')
  })
})

test('the client grants credit again when the caller has taken the tokens', async () => {
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

test('the client grants no credit while the caller takes nothing', async () => {
  node.serve = async (script) => {
    await script.accept()
    await script.delta(
      'x',
      Array.from({ length: CREDIT_WINDOW }, () => 1)
    )
  }
  const client = await connect()
  const messages = [{ role: 'user', content: 'hello' }] as const
  const parts = client.chat({ messages, maxTokens: 500 })[Symbol.asyncIterator]()
  await parts.next()
  await parts.next()
  const [held] = node.requests.slice(-1)
  // One connection delivers in order: a credit that was sent before this answer has arrived before it.
  node.serve = sayHello
  await ask(client)
  const unread = held!.frames.receive({ timeoutMs: 1, timeoutCode: 'caller_stalled' })
  expect((await failureOf(unread)).code).toBe('caller_stalled')
  await parts.return?.()
})
