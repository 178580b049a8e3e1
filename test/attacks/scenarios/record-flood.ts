import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, askKad, textCid, type KadPeer } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { publish } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

const RELAY = '5.9.0.1'
const KEY = anyNodeCid()
const HONEST = 8
/** Keys of the attacker at which an observer looks, among the first ones: the relay refuses those beyond the rate. */
const LOOKS = 64
const LOOKED_AT = 600

export const attack: Attack = {
  title: 'publishes thousands of provider records over one connection, and from many keys of one subnet',
  cost: '300 keys, one subnet, 10 s',
  before: '68,000 records over one connection in 10 s displaced all records of a relay',

  ...onInternet('record-flood', async ({ short, signal }, internet) => {
    await using network = new AttackedNetwork()
    const listen = [`/ip4/${internet.host(RELAY)}/tcp/4001`]
    const relay = await network.relay({ listen, scope: 'public' })
    const target = multiaddr(relay.addresses().find((address) => address.includes(RELAY)))
    const publisher = async (
      address: string,
      records: (self: KadPeer) => ReadonlyArray<{ key: CID; provider: KadPeer }>
    ): Promise<string> => {
      const peer = await network.peer({ transports: internet.from(address), addresses: { listen: [] } })
      const self = { peerId: peer.peerId, addresses: [multiaddr(`/ip4/${address}/tcp/4001`)] }
      await publish(await peer.dial(target), records(self))
      await peer.stop()
      return peer.peerId.toString()
    }
    const own = (provider: KadPeer): Array<{ key: CID; provider: KadPeer }> => [{ key: KEY, provider }]
    const honest = new Set<string>()
    for (let index = 0; index < HONEST; index++) honest.add(await publisher(`5.9.${index + 1}.1`, own))

    // One key under many keys of the DHT, and in the names of others.
    const flood = Array.from({ length: short ? LOOKED_AT : 68_000 }, (_, index) => textCid(`flood ${index}`))
    const invented: KadPeer[] = []
    for (let index = 0; index < 100; index++) {
      const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      invented.push({ peerId, addresses: [multiaddr('/ip4/5.66.0.1/tcp/4001')] })
    }
    await publisher('5.66.0.1', () => invented.map((provider) => ({ key: KEY, provider })))
    const flooder = await publisher('5.66.0.1', (self) => flood.map((key) => ({ key, provider: self })))
    // Many keys of one subnet under the key of the honest nodes.
    for (let index = 0; index < (short ? 20 : 300); index++) await publisher(`5.66.0.${(index % 250) + 1}`, own)

    const observer = await network.peer({ transports: internet.from('5.10.0.1'), addresses: { listen: [] } })
    const server = { peerId: (await observer.dial(target)).remotePeer, addresses: [] }
    const at = async (key: CID): Promise<string[]> => {
      const { providers } = await askKad(observer, server, { request: 'get_providers', key }, signal)
      return providers.map(({ peerId }) => peerId.toString())
    }
    const listed = await at(KEY)
    const kept = listed.filter((peer) => honest.has(peer)).length
    let found = 0
    const every = Math.floor(LOOKED_AT / LOOKS)
    for (let index = 0; index < LOOKS; index++) if ((await at(flood[index * every]!)).includes(flooder)) found++
    return [
      { metric: `honest records that are left, of ${HONEST}`, value: kept, limit: { atLeast: HONEST } },
      { metric: "the attacker's records in one reply", value: listed.length - kept, limit: { atMost: 16 } },
      // In the full form, none of the first keys of the flood may be left, so these records show that the relay took
      // some.
      { metric: "control: the attacker's records in one reply", value: listed.length - kept, limit: { atLeast: 1 } },
      {
        metric: 'records of one key in the store, estimated',
        value: found * every,
        limit: { atMost: 200 }
      }
    ]
  })
}
