/** Names that other peers advertise must not lead a dial into the LAN. */
import { multiaddr } from '@multiformats/multiaddr'
import { isUncheckedName, namesOf, publicLookup } from '@potluck/protocol'
import { expect, test } from 'vitest'

const ADDRESSES: Record<string, string[]> = {
  'public.example': ['5.9.0.7', '2a01:4f8::7'],
  'router.example': ['192.168.1.1'],
  'both.example': ['127.0.0.1', '5.9.0.7']
}

function lookUp(name: string, all: boolean, trusted: string[] = []): Promise<unknown> {
  const lookup = publicLookup((one, _, done) => {
    const addresses = ADDRESSES[one]?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    done(addresses === undefined ? new Error('not found') : null, addresses ?? [])
  }, new Set(trusted))
  return new Promise((resolve, reject) => {
    lookup(name, { all }, (error, address) => (error === null ? resolve(address) : reject(error)))
  })
}

test('a name resolves to its public addresses only', async () => {
  expect(await lookUp('public.example', true)).toEqual([
    { address: '5.9.0.7', family: 4 },
    { address: '2a01:4f8::7', family: 6 }
  ])
  expect(await lookUp('public.example', false)).toBe('5.9.0.7')
  expect(await lookUp('both.example', false)).toBe('5.9.0.7')
  await expect(lookUp('router.example', true)).rejects.toThrow('no public address')
  await expect(lookUp('unknown.example', true)).rejects.toThrow('not found')
})

test('a name that the user gave may be in the LAN', async () => {
  const trusted = [...namesOf(['/dns4/router.example/tcp/4001/p2p/12D3KooW', '/ip4/5.9.0.7/tcp/4001'])]
  expect(trusted).toEqual(['router.example'])
  expect(await lookUp('router.example', false, trusted)).toBe('192.168.1.1')
})

test.each([
  ['/dns4/router.example/tcp/80/ws', true],
  ['/dns4/router.example/tcp/80/ws/p2p-circuit', true],
  ['/dns6/router.example/tcp/80/ws', true],
  ['/dns4/relay.example/tcp/80/ws', false],
  ['/dns4/router.example/tcp/443/wss', false],
  ['/dns4/router.example/tcp/443/tls/ws', false],
  ['/dns4/router.example/tcp/4001', false],
  ['/ip4/5.9.0.7/tcp/80/ws', false]
])('%s is checked only by a WebSocket: %s', (address, expected) => {
  expect(isUncheckedName(multiaddr(address), new Set(['relay.example']))).toBe(expected)
})
