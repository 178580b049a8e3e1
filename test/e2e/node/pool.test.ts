/** A private network: members answer each other, also through a relay, and nobody else can connect. */
import { createClient, type Client } from '@potluck/client'
import { formatSwarmKey, type PotluckError } from '@potluck/protocol'
import { expect, onTestFinished, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { event, node, relay } from './harness.ts'

const KEY = formatSwarmKey(new Uint8Array(32).fill(7))
const OTHER_KEY = formatSwarmKey(new Uint8Array(32).fill(8))
const ASK = { messages: [{ role: 'user' as const, content: 'hello' }] }

async function client(bootstrap: readonly string[], swarmKey?: string): Promise<Client> {
  const made = await createClient({ bootstrap, mdns: false, ...(swarmKey === undefined ? {} : { swarmKey }) })
  onTestFinished(async () => await made.stop())
  return made
}

test('a member reaches a node behind a relay of the pool', async () => {
  const between = await relay({ swarmKey: KEY })
  const bootstrap = between.addresses()
  const [address = ''] = bootstrap
  const engine = new ScriptedEngine({ reply: () => 'welcome' })
  const hidden = await node(engine, { listen: [`${address}/p2p-circuit`], bootstrap, swarmKey: KEY })
  await event(hidden, 'advertised')
  const answer = (await client(bootstrap, KEY)).chat(ASK)
  expect(await answer.text()).toBe('welcome')
})

test.each([
  ['without a key', undefined],
  ['with the key of another pool', OTHER_KEY]
])('a client %s cannot connect, and its error names the pool', async (_, swarmKey) => {
  const serving = await node(new ScriptedEngine({ reply: () => 'welcome' }), { swarmKey: KEY })
  const outsider = await client(serving.addresses(), swarmKey)
  const error: PotluckError = await outsider
    .chat(ASK)
    .text()
    .then(
      () => expect.unreachable(),
      (caught: PotluckError) => caught
    )
  // The connection ends at once, or at the timeout of the handshake.
  expect(`${error.message} ${error.remedy}`).toMatch(/is in another pool|check the address and the pool/)
})

test('a member cannot connect to a node of the public network', async () => {
  const serving = await node(new ScriptedEngine({ reply: () => 'welcome' }))
  const member = await client(serving.addresses(), KEY)
  await expect(member.chat(ASK).text()).rejects.toMatchObject({ name: 'PotluckError' })
})

test('a malformed key is refused at once', async () => {
  await expect(createClient({ bootstrap: [], swarmKey: 'secret' })).rejects.toThrow('the swarm key is malformed')
})
