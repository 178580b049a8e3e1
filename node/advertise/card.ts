/** Builds the card: what a node advertises about itself. */
import {
  CARD_TTL_MS,
  MAX_CARD_ADDRESSES,
  SAMPLING_CONTRACT,
  type Card,
  type Hardware,
  type ModelCard,
  type Scope
} from '@potluck/protocol'
import { isPrivate } from '@libp2p/utils'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

import type { Engine, EngineModel } from '../engine/interface.ts'
import type { Rates } from '../hardware/measure.ts'
import { TOMBSTONE_TTL_MS } from '../limits/limits.ts'

export interface CardFacts {
  peerId: PeerId
  agent: string
  engine: Pick<Engine, 'model' | 'backend' | 'slots' | 'status'>
  hardware: Hardware
  rates: Rates
  scope: Scope
}

/** Returns the current card. With `draining` it is a tombstone: it has no models and no addresses, and expires soon. */
export function buildCard(
  facts: CardFacts,
  { addresses, draining, sequence }: { addresses: readonly string[]; draining: boolean; sequence: number }
): Card {
  const { peerId, agent, engine, hardware, rates, scope } = facts
  const serves = !draining && engine.status.state !== 'failed'
  return {
    peerId,
    sequence,
    expiresAt: sequence + (draining ? TOMBSTONE_TTL_MS : CARD_TTL_MS),
    addresses: draining ? [] : selectAddresses(addresses, scope),
    models: serves ? [modelCard(engine.model, rates)] : [],
    hardware,
    slots: engine.slots,
    engine: engine.backend.engine,
    contract: SAMPLING_CONTRACT,
    agent,
    draining
  }
}

/** Returns the addresses for the card, public addresses first. In scope `public` it returns only public addresses. */
export function selectAddresses(addresses: readonly string[], scope: Scope): string[] {
  const isPublic = (address: string): boolean => !isPrivate(multiaddr(address))
  const publicOnes = addresses.filter(isPublic)
  const privateOnes = scope === 'local' ? addresses.filter((address) => !isPublic(address)) : []
  return [...publicOnes, ...privateOnes].slice(0, MAX_CARD_ADDRESSES)
}

function modelCard(model: EngineModel, rates: Rates): ModelCard {
  const { digest, name, architecture, parameters, quantization, contextLength, features, sizeBytes } = model
  return { digest, name, architecture, parameters, quantization, contextLength, features, sizeBytes, ...rates }
}
