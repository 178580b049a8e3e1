import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, askKad, modelCid } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { publish } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

const RELAY = '5.9.0.1'
const NODE = '5.9.1.1'
/** Packets to this network get lost. */
const SILENT = '5.200.0.0/16'
const CLIENTS = 3

export const attack: Attack = {
  title: "fills a model's key with peers that nobody can reach",
  cost: '300 keys, 20 subnets',
  before: '3 of 3 clients found nobody',

  ...onInternet('unreachable-key', async ({ short, signal, note }, internet) => {
    await using network = new AttackedNetwork()
    internet.silent(SILENT)
    const at = (address: string): string[] => [`/ip4/${internet.host(address)}/tcp/4001`]
    const relay = await network.relay({ listen: at(RELAY), scope: 'public' })
    const bootstrap = relay.addresses().filter((address) => address.includes(RELAY))
    const engine = new ScriptedEngine({ reply: () => 'ok' })
    await network.node({ listen: at(NODE), announce: at(NODE), bootstrap, scope: 'public' }, engine)
    const keys = [anyNodeCid(), modelCid(engine.model.digest)]
    const count = short ? 24 : 300
    for (let index = 0; index < count; index++) {
      const peer = await network.peer({
        transports: internet.from(`5.66.${index % 20}.1`),
        addresses: { listen: [] }
      })
      const addresses = [multiaddr(`/ip4/5.200.${index >> 8}.${index & 255}/tcp/4001`)]
      const records = keys.map((key) => ({ key, provider: { peerId: peer.peerId, addresses } }))
      await publish(await peer.dial(multiaddr(bootstrap[0])), records)
      await peer.stop()
    }
    const observer = await network.peer({ transports: internet.from('5.10.0.1'), addresses: { listen: [] } })
    const server = { peerId: (await observer.dial(multiaddr(bootstrap[0]))).remotePeer, addresses: [] }
    const { providers } = await askKad(observer, server, { request: 'get_providers', key: keys[0]! }, signal)
    let answered = 0
    for (let one = 0; one < CLIENTS; one++) {
      const client = await network.client({ bootstrap, scope: 'public' })
      const startedAt = performance.now()
      const result = await client
        .chat({ messages: [{ role: 'user', content: 'hello' }] })
        .result()
        .catch((error: unknown) => note(String(error)))
      note(`client ${one + 1}: ${(performance.now() - startedAt).toFixed(0)} ms`)
      if (result?.text === 'ok') answered++
    }
    return [
      { metric: "records under the model's key", value: providers.length, limit: { atLeast: count / 20 } },
      { metric: `clients that found the node, of ${CLIENTS}`, value: answered, limit: { atLeast: CLIENTS } }
    ]
  })
}
