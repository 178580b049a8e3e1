/**
 * The card: what a node advertises. It is signed by the node's own key and expires; the copy in the
 * DHT is a hint, the one that the node gives on `/potluck/card/1.0.0` is the truth.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { PeerId, PrivateKey } from '@libp2p/interface'

import {
  CARD_TTL_MS,
  CLOCK_SKEW_MS,
  MAX_CARD_ADDRESSES,
  MAX_CARD_BYTES,
  MAX_CARD_FEATURES,
  MAX_CARD_MODELS,
  MAX_CARD_STRING,
  MAX_PROMPT_TOKENS
} from './constants.ts'
import { open, seal, type EnvelopeKind } from './envelope.ts'
import {
  CardSchema,
  type Card as CardMessage,
  type Hardware as HardwareMessage,
  type ModelCard as ModelCardMessage
} from './messages/potluck_pb.ts'
import { FieldCheck } from './wire/check.ts'

/**
 * What a node can do with a model:
 *
 * - `chat`: messages, by the file's own template; `completion`: raw prompts
 * - `logprobs`, and `score` for audits
 * - `json`: answers by a JSON schema; `tools`: tool calls, in chats
 * - `reasoning`: the model may think before it answers, and that comes apart from the text
 * - `embeddings`: `/potluck/embed/1.0.0`
 */
export type Feature = 'chat' | 'completion' | 'logprobs' | 'score' | 'json' | 'tools' | 'reasoning' | 'embeddings'

export interface ModelCard {
  /** SHA-256 of the GGUF file. */
  digest: Uint8Array
  /** `user/repo:QUANT`, an alias: anybody may claim any. */
  name: string
  architecture: string
  parameters: number
  quantization: string
  /** Tokens of prompt and answer together. */
  contextLength: number
  /** `Feature`s, and those of later versions. */
  features: readonly string[]
  /** Measured by the node at its start; 0: not measured. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  sizeBytes: number
}

export interface Hardware {
  /** "cpu", "cuda", "metal" or "vulkan". */
  accelerator: string
  /** Name of the GPU, or of the processor. */
  device: string
  vramBytes: number
  ramBytes: number
  cores: number
  /** "linux x64". */
  os: string
}

export interface Card {
  peerId: PeerId
  /** Milliseconds since the epoch at signing; of two cards the higher is valid. */
  sequence: number
  /** Milliseconds since the epoch. */
  expiresAt: number
  /** Multiaddrs, not checked to be reachable. */
  addresses: readonly string[]
  models: readonly ModelCard[]
  hardware: Hardware
  /** Requests generated at once. */
  slots: number
  engine: string
  /** Version of the sampling contract. */
  contract: number
  /** Name and version of the node's software. */
  agent: string
  /** The node is leaving: no new work for it. */
  draining: boolean
}

const KIND: EnvelopeKind = {
  domain: 'potluck-card',
  payloadType: new TextEncoder().encode('/potluck/card'),
  maxBytes: MAX_CARD_BYTES
}

const MAX_RATE = 1e7
const MAX_SLOTS = 4096
const MAX_CORES = 65_536

const check = new FieldCheck('protocol_violation', 'invalid card')

/**
 * Signs a card.
 *
 * @throws PotluckError `protocol_violation` if others would refuse it, for instance for a name that is too long
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
  const bytes = await seal(KIND, payload, key)
  await openCard(bytes, { now: card.sequence, peerId: card.peerId })
  return bytes
}

/**
 * Verifies and validates a card.
 *
 * @param options.now milliseconds since the epoch
 * @param options.peerId whose card it has to be; default: whoever signed it
 * @throws PotluckError `protocol_violation`: too large, malformed, forged, expired, from the future, another peer's
 */
export async function openCard(bytes: Uint8Array, { now, peerId }: { now: number; peerId?: PeerId }): Promise<Card> {
  const { payload, signer } = await open(KIND, bytes)
  if (peerId !== undefined && !signer.equals(peerId)) check.fail('signer', 'is another peer')
  const card = parseCard(decode(payload), signer)
  if (card.expiresAt <= now) check.fail('expires_at', 'is past')
  if (card.sequence > now + CLOCK_SKEW_MS) check.fail('sequence', 'lies in the future')
  // Otherwise one card could outlive every later one of an attacker's choice.
  if (card.expiresAt > card.sequence + CARD_TTL_MS) check.fail('expires_at', 'is too far from the sequence')
  return card
}

/** The sequence of a card that was verified before; -1 if it cannot be read. */
export async function cardSequence(bytes: Uint8Array): Promise<number> {
  const { payload } = await open(KIND, bytes)
  return Number(decode(payload).sequence)
}

function decode(payload: Uint8Array): CardMessage {
  try {
    return fromBinary(CardSchema, payload, { readUnknownFields: false })
  } catch {
    return check.fail('payload', 'cannot be decoded')
  }
}

function parseCard(message: CardMessage, signer: PeerId): Card {
  const own = signer.toMultihash().bytes
  const named = check.bytes('peer_id', message.peerId, own.byteLength)
  if (!named.every((byte, index) => byte === own[index])) check.fail('peer_id', 'is not the signer')
  check.count('models', message.models, MAX_CARD_MODELS)
  check.count('addresses', message.addresses, MAX_CARD_ADDRESSES)
  return {
    peerId: signer,
    sequence: check.integer('sequence', message.sequence, Number.MAX_SAFE_INTEGER),
    expiresAt: check.integer('expires_at', message.expiresAt, Number.MAX_SAFE_INTEGER),
    addresses: message.addresses.map((address) => check.label('addresses', address, MAX_CARD_STRING)),
    models: message.models.map(parseModel),
    hardware: parseHardware(check.present('hardware', message.hardware)),
    slots: check.number('slots', message.slots, 0, MAX_SLOTS),
    engine: check.label('engine', message.engine, MAX_CARD_STRING),
    contract: message.contract,
    agent: check.label('agent', message.agent, MAX_CARD_STRING),
    draining: message.draining
  }
}

function parseModel(model: ModelCardMessage): ModelCard {
  check.count('features', model.features, MAX_CARD_FEATURES)
  return {
    digest: check.bytes('digest', model.digest, 32),
    name: check.label('name', model.name, MAX_CARD_STRING),
    architecture: check.label('architecture', model.architecture, MAX_CARD_STRING),
    parameters: check.integer('parameters', model.parameters, Number.MAX_SAFE_INTEGER),
    quantization: check.label('quantization', model.quantization, MAX_CARD_STRING),
    contextLength: check.number('context_length', model.contextLength, 1, MAX_PROMPT_TOKENS * 64),
    features: model.features.map((feature) => check.label('features', feature, MAX_CARD_STRING)),
    prefillTokensPerSecond: check.number('prefill_tokens_per_second', model.prefillTokensPerSecond, 0, MAX_RATE),
    decodeTokensPerSecond: check.number('decode_tokens_per_second', model.decodeTokensPerSecond, 0, MAX_RATE),
    sizeBytes: check.integer('size_bytes', model.sizeBytes, Number.MAX_SAFE_INTEGER)
  }
}

function parseHardware(hardware: HardwareMessage): Hardware {
  return {
    accelerator: check.label('accelerator', hardware.accelerator, MAX_CARD_STRING),
    device: check.label('device', hardware.device, MAX_CARD_STRING),
    vramBytes: check.integer('vram_bytes', hardware.vramBytes, Number.MAX_SAFE_INTEGER),
    ramBytes: check.integer('ram_bytes', hardware.ramBytes, Number.MAX_SAFE_INTEGER),
    cores: check.number('cores', hardware.cores, 0, MAX_CORES),
    os: check.label('os', hardware.os, MAX_CARD_STRING)
  }
}
