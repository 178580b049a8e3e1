/** A node that no peer can dial directly serves through a relay. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { caller, dial, event, node, relay } from './harness.ts'
import { Call, request } from '../../peers/caller-stream.ts'

test('a relay carries an answer that is longer than the relay limits of libp2p', async () => {
  const between = await relay()
  const [address = ''] = between.addresses()
  // About 220 KB on the wire. libp2p's default would cut it at 128 KiB.
  const long = 'a line of text. '.repeat(150)
  const engine = new ScriptedEngine({ reply: () => long, contextLength: 10_000 })
  const hidden = await node(engine, { listen: [`${address}/p2p-circuit`], bootstrap: [address] })
  await event(hidden, 'advertised')
  expect(hidden.addresses().every((own) => own.includes(`${between.peerId.toString()}/p2p-circuit`))).toBe(true)
  expect(hidden.card().addresses).toEqual(hidden.addresses())

  const connection = await dial(await caller([circuitRelayTransport()]), hidden)
  expect(connection.limits).toBeDefined()
  const call = await Call.open(connection, request(engine, { maxTokens: 9000, credit: 9000, topLogprobs: 5 }))
  await call.expect('accepted')
  expect(await call.rest()).toMatchObject({ text: long, last: { type: 'done' } })
})

test('a relay waits for a slow receiver, and delivers every byte', async () => {
  const between = await relay()
  const target = multiaddr(between.addresses()[0])
  const receiver = await caller([circuitRelayTransport()], [target.encapsulate('/p2p-circuit').toString()])
  const sender = await caller([circuitRelayTransport()])
  const size = 3 * 1024 * 1024
  let received = 0
  const ended = Promise.withResolvers<void>()
  await receiver.handle(
    '/test/slow/1.0.0',
    (stream) => {
      stream.addEventListener('message', ({ data }) => {
        received += data.byteLength
        stream.pause()
        // The loop of this process, which also runs the relay, turns between two reads.
        setImmediate(() => {
          // libp2p closes the readable end after the last bytes, even if the stream is paused.
          if (stream.readStatus === 'paused') stream.resume()
        })
      })
      stream.addEventListener('end', () => ended.resolve())
    },
    { runOnLimitedConnection: true }
  )
  const to = target.encapsulate(`/p2p-circuit/p2p/${receiver.peerId.toString()}`)
  const stream = await sender.dialProtocol(to, '/test/slow/1.0.0', { runOnLimitedConnection: true })
  stream.send(new Uint8Array(size))
  await stream.close()
  await ended.promise
  expect(received).toBe(size)
})

test('a relay that the node cannot reach is an error in one line', async () => {
  const between = await relay()
  const [address = ''] = between.addresses()
  await between.stop()
  const listen = [`${address}/p2p-circuit`]
  await expect(node(new ScriptedEngine({ reply: () => 'ok' }), { listen })).rejects.toThrow(
    `cannot listen on ${listen[0]}`
  )
})
