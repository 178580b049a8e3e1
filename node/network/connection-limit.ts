/**
 * Limits the inbound connections of one subnet. Otherwise 24 keys of one address could hold all connections of a node for
 * as long as they like, and 64 connections that stay silent could hold all handshakes. No client could then reach the
 * node.
 */
import type { Connection, Libp2p, MultiaddrConnection } from '@libp2p/interface'
import { isRelayedSubnet, subnetOf } from '@potluck/protocol'

export interface ConnectionBounds {
  /** Connections of all peers. */
  connections: number
  /** Handshakes in progress, of all peers. */
  pending: number
}

/** The share that one subnet can have: 12 connections of a node, and 256 of a relay, because a city can share a subnet. */
const SHARE = 1 / 8
/** The share of the peers behind relays of one subnet. All peers behind NAT may use the same relay. */
const RELAYED_SHARE = 1 / 2

type Incoming = Pick<MultiaddrConnection, 'remoteAddr' | 'addEventListener'>

export class ConnectionLimit {
  readonly #bounds: ConnectionBounds
  /** Connections whose handshake is in progress, with their subnet. */
  readonly #pending = new Map<Incoming, string>()
  /** A relay compares thousands of connections with each new one. */
  readonly #subnets = new WeakMap<Connection, string | undefined>()

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds
  }

  /** Whether to refuse a new inbound connection before its handshake. A LAN has no limit. */
  refuses(host: Pick<Libp2p, 'getConnections'>, incoming: Incoming): boolean {
    const subnet = subnetOf(incoming.remoteAddr)
    if (subnet === undefined) return false
    const pending = [...this.#pending.values()].filter((one) => one === subnet).length
    if (pending >= this.#bounds.pending * shareOf(subnet) || this.#isFull(host, subnet)) return true
    this.#pending.set(incoming, subnet)
    incoming.addEventListener('close', () => this.#pending.delete(incoming), { once: true })
    return false
  }

  /** The same after the handshake, because other connections of the subnet can have been faster. */
  refusesUpgraded(host: Pick<Libp2p, 'getConnections'>, incoming: Incoming): boolean {
    this.#pending.delete(incoming)
    const subnet = subnetOf(incoming.remoteAddr)
    return subnet !== undefined && this.#isFull(host, subnet)
  }

  #isFull(host: Pick<Libp2p, 'getConnections'>, subnet: string): boolean {
    const same = host.getConnections().filter((connection) => this.#inboundSubnetOf(connection) === subnet)
    return same.length >= this.#bounds.connections * shareOf(subnet)
  }

  #inboundSubnetOf(connection: Connection): string | undefined {
    if (connection.direction === 'outbound') return undefined
    if (!this.#subnets.has(connection)) this.#subnets.set(connection, subnetOf(connection.remoteAddr))
    return this.#subnets.get(connection)
  }
}

function shareOf(subnet: string): number {
  return isRelayedSubnet(subnet) ? RELAYED_SHARE : SHARE
}
