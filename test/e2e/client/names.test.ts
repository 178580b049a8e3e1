/** A peer can advertise a name that resolves to a private address. */
import { createServer } from 'node:net'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, onTestFinished, test } from 'vitest'

import { createNetwork } from '../../../client/network/create.ts'
import { nodePlatform } from '../../../client/platform/node.ts'

test.each([
  ['public', 0],
  ['local', 1]
] as const)('in scope %s, a name of this machine is dialled %d times', async (scope, dialled) => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '0.0.0.0', listening.resolve)
  await listening.promise
  onTestFinished(() => void server.close())
  const network = await createNetwork({ bootstrap: ['/ip4/8.8.8.8/tcp/1'], mdns: false, scope }, nodePlatform)
  onTestFinished(async () => await network.stop())

  const { port } = server.address() as { port: number }
  // libp2p itself refuses only "localhost" in this spelling.
  const addresses = [multiaddr(`/dns4/LOCALHOST/tcp/${port}`)]
  const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  await expect(network.askCard({ peerId, addresses }, AbortSignal.timeout(5_000))).rejects.toThrow('not be reached')
  expect(connections).toBe(dialled)
})
