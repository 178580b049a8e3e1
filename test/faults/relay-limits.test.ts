/** Relays with small limits, as those of the public libp2p network: a long answer goes over several connections. */
import { setTimeout as sleep } from 'node:timers/promises'

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { kadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createClient } from '@potluck/client'
import { kadOptions } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { event, LOOPBACK, node } from '../e2e/node/harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
const LONG = Array.from({ length: 120 }, (_, line) => `line ${line} of a long answer. `).join('')

/** Starts a relay with these limits for each connection. */
async function limitedRelay(limits: { defaultDataLimit: bigint; defaultDurationLimit: number }): Promise<string> {
  const relay = await createLibp2p({
    addresses: { listen: [LOOPBACK] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1000 },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ ...kadOptions({ scope: 'local' }), allowQueryWithZeroPeers: true }),
      relay: circuitRelayServer({ reservations: limits })
    }
  })
  onTestFinished(async () => await relay.stop())
  return relay.getMultiaddrs()[0]!.toString()
}

test.each([
  ['bytes', { defaultDataLimit: 24n * 1024n, defaultDurationLimit: 120_000 }, 0],
  ['time', { defaultDataLimit: 1n << 30n, defaultDurationLimit: 3_000 }, 2]
])('an answer beyond the limit of %s is complete, and the node is not blamed', async (_, limits, tokenMs) => {
  const address = await limitedRelay(limits)
  const engine = new ScriptedEngine({
    reply: () => LONG,
    contextLength: 20_000,
    before: async ({ kind }, signal) => {
      if (kind === 'token') await sleep(tokenMs, undefined, { signal })
    }
  })
  const hidden = await node(engine, { listen: [`${address}/p2p-circuit`], bootstrap: [address] })
  await event(hidden, 'advertised')
  const client = await createClient({ bootstrap: [address], mdns: false })
  onTestFinished(async () => await client.stop())

  const answer = client.chat({ messages: MESSAGES, maxTokens: 8_000, topLogprobs: 2 })
  const { text, metadata } = await answer.result()
  expect(text).toBe(LONG)
  expect(metadata.relayed).toBe(true)
  expect(metadata.failures.length).toBeGreaterThan(1)
  expect(new Set(metadata.failures.map(({ code }) => code))).toEqual(new Set(['relay_limit']))
  // The reasons name every failure that counts.
  expect(client.explain(hidden.peerId.toString()).join()).toContain('complete: 1 of 1 answer')
})
