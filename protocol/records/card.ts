/**
 * The card: what a node advertises about itself. The node signs the card, and the card expires after two hours. The
 * copy in the DHT is a hint; the card that the node returns on `/potluck/card/1.0.0` is authoritative.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { equals } from 'uint8arrays/equals'

import {
  CARD_TTL_MS,
  CLOCK_SKEW_MS,
  DIGEST_BYTES,
  MAX_CARD_ADDRESSES,
  MAX_CARD_BYTES,
  MAX_CARD_CONTEXT,
  MAX_CARD_CORES,
  MAX_CARD_LAYERS,
  MAX_CARD_FEATURES,
  MAX_CARD_MODELS,
  MAX_CARD_RATE,
  MAX_CARD_SLOTS,
  MAX_CARD_STRING
} from '../constants.ts'
import { openEnvelope, sealEnvelope, type EnvelopeKind } from './envelope.ts'
import { PotluckError } from '../errors.ts'
import {
  CardSchema,
  type Card as CardMessage,
  type Hardware as HardwareMessage,
  type ModelCard as ModelCardMessage
} from '../messages/potluck_pb.ts'
import { FieldCheck } from '../wire/check.ts'

/**
 * What a node can do with a model:
 *
 * - `chat`: answers messages, which it renders with the file's own template
 * - `completion`: answers raw prompts
 * - `logprobs`: returns log-probabilities
 * - `score`: audits answers of other nodes
 * - `json`: constrains answers to a JSON schema
 * - `tools`: returns tool calls, in chats
 * - `reasoning`: the model can reason before it answers, and the node sends the reasoning separately from the text
 * - `embeddings`: serves `/potluck/embed/1.0.0`
 */
export type Feature = 'chat' | 'completion' | 'logprobs' | 'score' | 'json' | 'tools' | 'reasoning' | 'embeddings'

export interface ModelCard {
  /** SHA-256 of the GGUF file. */
  digest: Uint8Array
  /** `user/repo:QUANT`, an unverified alias: any node can claim any name. */
  name: string
  architecture: string
  parameters: number
  quantization: string
  /** The most tokens of prompt and answer together. */
  contextLength: number
  /** Each is a `Feature`, or a name that a later version of the protocol added. */
  features: readonly string[]
  /** The node measures both rates when it starts; 0: not measured. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  sizeBytes: number
  /** As in `Backend`. */
  schedule: string
}

export interface Hardware {
  /** "cpu", "cuda", "metal" or "vulkan". */
  accelerator: string
  /** Name of the GPU, or of the processor if there is none. */
  device: string
  vramBytes: number
  ramBytes: number
  cores: number
  /** "linux x64". */
  os: string
  /** Layers of the model on the GPUs. Undefined: the processor computes all of them. */
  gpuLayers?: number
  /** All layers of the model. Undefined if and only if `gpuLayers` is. */
  layers?: number
}

export interface Card {
  peerId: PeerId
  /**
   * When the node signed the card, in milliseconds since the epoch. Of several cards of a node, the card with the
   * highest sequence is valid.
   */
  sequence: number
  /** Milliseconds since the epoch. */
  expiresAt: number
  /** Multiaddrs. No peer has checked that they are reachable. */
  addresses: readonly string[]
  models: readonly ModelCard[]
  hardware: Hardware
  /** Requests that the node runs at once. */
  slots: number
  engine: string
  /** Version of the sampling contract. */
  contract: number
  /** Name and version of the node's software. */
  agent: string
  /** The node is shutting down and takes no new requests. */
  draining: boolean
}

/**
 * A genuine card that has expired, or that was signed in the future: the clock of its reader or of its signer is wrong.
 */
export class CardTimeError extends PotluckError {
  readonly card: Card

  constructor(card: Card, message: string) {
    super('protocol_violation', `invalid card: ${message}`, { peer: card.peerId.toString() })
    this.card = card
  }
}

const KIND: EnvelopeKind = {
  domain: 'potluck-card',
  payloadType: new TextEncoder().encode('/potluck/card'),
  maxBytes: MAX_CARD_BYTES
}

const check = new FieldCheck('protocol_violation', 'invalid card')

/**
 * Signs a card.
 *
 * @throws PotluckError `protocol_violation` if other peers would refuse it, for example because a name is too long
 */
export async function signCard(card: Card, key: PrivateKey): Promise<Uint8Array> {
  const payload = toBinary(
    CardSchema,
    create(CardSchema, {
      ...card,
      peerId: card.peerId.toMultihash().bytes,
      sequence: BigInt(card.sequence),
      expiresAt: BigInt(card.expiresAt),
      addresses: [...card.addresses],
      models: card.models.map((model) => ({
        ...model,
        parameters: BigInt(model.parameters),
        sizeBytes: BigInt(model.sizeBytes),
        features: [...model.features]
      })),
      hardware: {
        ...card.hardware,
        vramBytes: BigInt(card.hardware.vramBytes),
        ramBytes: BigInt(card.hardware.ramBytes)
      }
    })
  )
  const bytes = await sealEnvelope(KIND, payload, key)
  await openCard(bytes, { now: card.sequence, peerId: card.peerId })
  return bytes
}

/**
 * Verifies and validates a card.
 *
 * @param options.now milliseconds since the epoch
 * @param options.peerId the node that must have signed the card; default: any node
 * @throws PotluckError `protocol_violation` if the card is too large, malformed, forged or signed by another peer;
 *   CardTimeError with the same code if it has expired or was signed in the future
 */
export async function openCard(bytes: Uint8Array, { now, peerId }: { now: number; peerId?: PeerId }): Promise<Card> {
  const { payload, signer } = await openEnvelope(KIND, bytes)
  if (peerId !== undefined && !signer.equals(peerId)) check.fail('signer', 'is another peer')
  const card = parseCard(decode(payload), signer)
  // Otherwise a node could sign a card that stays valid for years.
  if (card.expiresAt > card.sequence + CARD_TTL_MS) check.fail('expires_at', 'is too far from the sequence')
  if (card.expiresAt <= now) throw new CardTimeError(card, 'expires_at is in the past')
  if (card.sequence > now + CLOCK_SKEW_MS) throw new CardTimeError(card, 'sequence is in the future')
  return card
}

/**
 * Returns the sequence of a card. Checks the signature, but no other field.
 *
 * @throws PotluckError `protocol_violation` if the card cannot be decoded or is forged
 */
export async function cardSequence(bytes: Uint8Array): Promise<number> {
  const { payload } = await openEnvelope(KIND, bytes)
  return Number(decode(payload).sequence)
}

function decode(payload: Uint8Array): CardMessage {
  return check.decode(CardSchema, payload, 'payload cannot be decoded')
}

function parseCard(message: CardMessage, signer: PeerId): Card {
  const own = signer.toMultihash().bytes
  const named = check.bytes('peer_id', message.peerId, own.byteLength)
  if (!equals(named, own)) check.fail('peer_id', 'is not the signer')
  check.count('models', message.models, MAX_CARD_MODELS)
  check.count('addresses', message.addresses, MAX_CARD_ADDRESSES)
  return {
    peerId: signer,
    sequence: check.integer('sequence', message.sequence, Number.MAX_SAFE_INTEGER),
    expiresAt: check.integer('expires_at', message.expiresAt, Number.MAX_SAFE_INTEGER),
    addresses: message.addresses.map((address) => check.label('addresses', address, MAX_CARD_STRING)),
    models: message.models.map(parseModel),
    hardware: parseHardware(check.present('hardware', message.hardware)),
    slots: check.number('slots', message.slots, 0, MAX_CARD_SLOTS),
    engine: check.label('engine', message.engine, MAX_CARD_STRING),
    contract: message.contract,
    agent: check.label('agent', message.agent, MAX_CARD_STRING),
    draining: message.draining
  }
}

function parseModel(model: ModelCardMessage): ModelCard {
  check.count('features', model.features, MAX_CARD_FEATURES)
  return {
    digest: check.bytes('digest', model.digest, DIGEST_BYTES),
    name: check.label('name', model.name, MAX_CARD_STRING),
    architecture: check.label('architecture', model.architecture, MAX_CARD_STRING),
    parameters: check.integer('parameters', model.parameters, Number.MAX_SAFE_INTEGER),
    quantization: check.label('quantization', model.quantization, MAX_CARD_STRING),
    contextLength: check.number('context_length', model.contextLength, 1, MAX_CARD_CONTEXT),
    features: model.features.map((feature) => check.label('features', feature, MAX_CARD_STRING)),
    prefillTokensPerSecond: check.number('prefill_tokens_per_second', model.prefillTokensPerSecond, 0, MAX_CARD_RATE),
    decodeTokensPerSecond: check.number('decode_tokens_per_second', model.decodeTokensPerSecond, 0, MAX_CARD_RATE),
    sizeBytes: check.integer('size_bytes', model.sizeBytes, Number.MAX_SAFE_INTEGER),
    schedule: check.label('schedule', model.schedule, MAX_CARD_STRING)
  }
}

function parseHardware(hardware: HardwareMessage): Hardware {
  return {
    accelerator: check.label('accelerator', hardware.accelerator, MAX_CARD_STRING),
    device: check.label('device', hardware.device, MAX_CARD_STRING),
    vramBytes: check.integer('vram_bytes', hardware.vramBytes, Number.MAX_SAFE_INTEGER),
    ramBytes: check.integer('ram_bytes', hardware.ramBytes, Number.MAX_SAFE_INTEGER),
    cores: check.number('cores', hardware.cores, 0, MAX_CARD_CORES),
    os: check.label('os', hardware.os, MAX_CARD_STRING),
    ...(hardware.gpuLayers === 0
      ? {}
      : {
          gpuLayers: check.number(
            'gpu_layers',
            hardware.gpuLayers,
            1,
            check.number('layers', hardware.layers, 1, MAX_CARD_LAYERS)
          ),
          layers: hardware.layers
        })
  }
}
