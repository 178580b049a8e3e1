/** Builds the card: what a node advertises about itself. */
import {
  CARD_TTL_MS,
  MAX_CARD_ADDRESSES,
  SAMPLING_CONTRACT,
  type Card,
  type Hardware,
  type Load,
  type ModelCard,
  type Scope
} from '@potluck/protocol'
import { isLoopback, isPrivate } from '@libp2p/utils'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

import type { Engine } from '../engine/interface.ts'
import type { Rates } from '../hardware/measure.ts'
import { TOMBSTONE_TTL_MS } from '../limits/limits.ts'

export interface ServedEngine {
  engine: Pick<Engine, 'model' | 'backend' | 'slots' | 'status'>
  rates: Rates
}

export interface CardFacts {
  peerId: PeerId
  agent: string
  /** One for each model. */
  served: readonly ServedEngine[]
  hardware: Hardware
  scope: Scope
}

/** Returns the current card. With `draining` it is a tombstone: it has no models and no addresses, and expires soon. */
export function buildCard(
  facts: CardFacts,
  { addresses, draining, sequence }: { addresses: readonly string[]; draining: boolean; sequence: number }
): Card {
  const { peerId, agent, served, hardware, scope } = facts
  const serving = draining ? [] : served.filter(({ engine }) => isServed(engine))
  const { slots, backend } = served[0]!.engine
  return {
    peerId,
    sequence,
    expiresAt: sequence + (draining ? TOMBSTONE_TTL_MS : CARD_TTL_MS),
    addresses: draining ? [] : selectAddresses(addresses, scope),
    models: serving.map(({ engine, rates }) => modelCard(engine, rates)),
    hardware,
    slots,
    engine: backend.engine,
    contract: SAMPLING_CONTRACT,
    agent,
    draining
  }
}

function isServed({ status }: Pick<Engine, 'status'>): boolean {
  return status.state !== 'failed'
}

/** Returns the part of the load that says which models of the card are in memory. */
export function modelWaits(engines: readonly Pick<Engine, 'status' | 'residence'>[]): Pick<Load, 'modelWaitMs'> {
  const modelWaitMs = engines.filter(isServed).map(({ residence }) => Math.ceil(residence?.waitMs() ?? 0))
  return modelWaitMs.some((waitMs) => waitMs > 0) ? { modelWaitMs } : {}
}

/**
 * Returns the addresses for the card: public ones, then those on the LAN, then loopback. IPv4 and IPv6 take turns, so
 * that a machine with many addresses of one family still advertises both. In scope `public` only the public ones.
 */
export function selectAddresses(addresses: readonly string[], scope: Scope): string[] {
  const groups: string[][] = [[], [], []]
  for (const address of addresses) {
    const parsed = multiaddr(address)
    groups[isLoopback(parsed) ? 2 : isPrivate(parsed) ? 1 : 0]!.push(address)
  }
  const usable = scope === 'public' ? groups.slice(0, 1) : groups
  return usable.flatMap(familiesInTurn).slice(0, MAX_CARD_ADDRESSES)
}

function familiesInTurn(addresses: readonly string[]): string[] {
  const ipv6 = addresses.filter((address) => address.startsWith('/ip6'))
  const others = addresses.filter((address) => !address.startsWith('/ip6'))
  return Array.from({ length: Math.max(ipv6.length, others.length) }, (_, index) =>
    [others[index], ipv6[index]].filter((address) => address !== undefined)
  ).flat()
}

function modelCard({ model, backend }: ServedEngine['engine'], rates: Rates): ModelCard {
  const { digest, name, architecture, parameters, quantization, contextLength, features, sizeBytes } = model
  const { schedule } = backend
  return {
    digest,
    name,
    architecture,
    parameters,
    quantization,
    contextLength,
    features,
    sizeBytes,
    schedule,
    ...rates
  }
}
