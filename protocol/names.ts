/**
 * Names in the addresses of other peers. A peer can advertise a name of its own that resolves to a private address, or
 * the name of a machine in the receiver's LAN. In scope `public`, a dial must not reach the LAN this way, and a name
 * shows what it is only when it is resolved.
 */
import { isPrivateIp } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'

interface Resolved {
  address: string
  family: number
}

/** The callback of Node's `dns.lookup`. */
type OnResolved = (error: Error | null, addresses: Resolved[]) => void
/** Node's `dns.lookup` with the option `all`. */
type Resolve = (name: string, options: { all: true; family?: number; hints?: number }, done: OnResolved) => void
interface LookupOptions {
  all?: boolean
  family?: number
  hints?: number
}
type OnLookup = (error: Error | null, address: string | Resolved[], family?: number) => void

const NAME = /^\/dns[46]?\/([^/]+)\//
const WEBSOCKET = /\/ws(\/|$)/
/** A device in the LAN cannot complete the TLS handshake of another name, and gets no request before. */
const TLS = /\/(tls|wss)(\/|$)/

/** The names in addresses that the user gave: these may resolve to private addresses. */
export function namesOf(addresses: readonly string[]): Set<string> {
  return new Set(addresses.flatMap((address) => NAME.exec(address)?.[1] ?? []))
}

/**
 * Whether a dial would resolve a name where `publicLookup` has no influence: the platform's WebSocket does it.
 *
 * @param trusted as for `publicLookup`
 */
export function isUncheckedName(address: Multiaddr, trusted: ReadonlySet<string>): boolean {
  const [first = ''] = address.toString().split('/p2p-circuit')
  const name = NAME.exec(first)?.[1]
  return name !== undefined && !trusted.has(name) && WEBSOCKET.test(first) && !TLS.test(first)
}

/**
 * A `lookup` for `net.connect` that resolves names to public addresses only.
 *
 * @param resolve Node's `dns.lookup`
 * @param trusted names that may have private addresses too
 */
export function publicLookup(
  resolve: Resolve,
  trusted: ReadonlySet<string>
): (name: string, options: LookupOptions, done: OnLookup) => void {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [])
      const usable = addresses.filter(({ address }) => trusted.has(name) || isPrivateIp(address) === false)
      const [first] = usable
      if (first === undefined) return done(new Error('the name has no public address'), [])
      if (options.all === true) done(null, usable)
      else done(null, first.address, first.family)
    })
  }
}
