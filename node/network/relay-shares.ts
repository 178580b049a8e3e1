/**
 * Shares of a relay. Keys are free, so 512 keys of one address could hold all reservations of a relay, for the two
 * hours that libp2p keeps a reservation after its peer has left. Nodes behind NAT could then not be reached.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { RELAY_V2_HOP_CODEC, type CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Multiaddr } from '@multiformats/multiaddr'
import { networksOf, subnetOf, type Networks } from '@potluck/protocol'

import { RELAY_RESERVATIONS } from '../limits/limits.ts'

/** Reservations of one host: a household with a few machines that run nodes. */
const RESERVATIONS_OF_HOST = 8
/** Reservations of one subnet, as for connections: many households of a city can share it. */
const RESERVATIONS_OF_SUBNET = RELAY_RESERVATIONS / 8
/** Relayed connections that one peer can open at the same time. A gateway uses a handful of nodes behind a relay. */
const RELAYED_OF_PEER = 32
/** The same for one host, and for one subnet. */
const RELAYED_OF_HOST = 64
const RELAYED_OF_SUBNET = 512

type RelayHost = Pick<Libp2p, 'getConnections' | 'addEventListener'> & { services: { relay: CircuitRelayService } }

/** Whether to refuse a reservation. A peer that has one can renew it. A LAN has no limit. */
export function refusesReservation(host: RelayHost, peer: PeerId): boolean {
  const { reservations } = host.services.relay
  const own = host.getConnections(peer).find(({ direct }) => direct)
  const networks = own && publicNetworksOf(own.remoteAddr)
  if (networks === undefined || reservations.has(peer)) return false
  const others = [...reservations.values()].map(({ addr }) => publicNetworksOf(addr))
  const of = (kind: keyof Networks): number => others.filter((one) => one?.[kind] === networks[kind]).length
  return of('host') >= RESERVATIONS_OF_HOST || of('subnet') >= RESERVATIONS_OF_SUBNET
}

/** Whether to refuse to open one more relayed connection for a peer. The stream that asks for it is open already. */
export function refusesRelayed(host: RelayHost, source: PeerId): boolean {
  const own = host.getConnections(source).find(({ direct }) => direct)
  if (own === undefined || relayedOf(host.getConnections(source)) > RELAYED_OF_PEER) return true
  const networks = publicNetworksOf(own.remoteAddr)
  if (networks === undefined) return false
  const inSubnet = host
    .getConnections()
    .filter(({ remoteAddr }) => publicNetworksOf(remoteAddr)?.subnet === networks.subnet)
  const onHost = inSubnet.filter(({ remoteAddr }) => publicNetworksOf(remoteAddr)?.host === networks.host)
  return relayedOf(onHost) > RELAYED_OF_HOST || relayedOf(inSubnet) > RELAYED_OF_SUBNET
}

/** Ends each reservation with the last connection of its peer. */
export function endReservations(host: RelayHost): void {
  host.addEventListener('peer:disconnect', ({ detail: peer }) => {
    const { reservations } = host.services.relay
    // Its timer would delete a later reservation of the same peer.
    reservations.get(peer)?.signal.clear()
    reservations.delete(peer)
  })
}

function relayedOf(connections: readonly Connection[]): number {
  const streams = connections.flatMap((connection) => connection.streams)
  return streams.filter(({ direction, protocol }) => direction === 'inbound' && protocol === RELAY_V2_HOP_CODEC).length
}

function publicNetworksOf(address: Multiaddr): Networks | undefined {
  if (!NETWORKS.has(address)) NETWORKS.set(address, subnetOf(address) === undefined ? undefined : networksOf(address))
  return NETWORKS.get(address)
}

/** A relay compares thousands of connections with each other. */
const NETWORKS = new WeakMap<Multiaddr, Networks | undefined>()
