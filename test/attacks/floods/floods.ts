/** The floods: what the attacker sends without a pause, in pieces of many messages. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import {
  anyNodeCid,
  CARD_PROTOCOL,
  encodeRequest,
  GENERATE_PROTOCOL,
  KAD_PROTOCOL,
  MAX_FRAME_BYTES
} from '@potluck/protocol'
import { encode } from 'uint8-varint'
import { concat } from 'uint8arrays/concat'

import { request } from '../../peers/caller-stream.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { framed, KAD, kadFrame } from '../kad.ts'
import { data, FLAG, header, message, TYPE } from './frames.ts'
import type { VictimKind } from './victim.ts'

export interface Flood {
  victim: VictimKind
  /** What the attacker sends first on each connection. Default: nothing. */
  first?: () => Uint8Array
  /**
   * The next piece.
   *
   * @param stream returns the number of a new stream
   * @param self the attacker's peer id, as a multihash
   */
  next: (stream: () => number, self: Uint8Array) => Uint8Array
  /** Messages in a piece. */
  messages: number
  /** The attacker reads nothing, so that replies stay in the victim's memory. */
  deaf?: boolean
  /** Sends each byte as a message of Noise of its own. */
  dribble?: boolean
}

const MESSAGES = 256
const KEY = anyNodeCid().multihash.bytes
const engine = new ScriptedEngine()

function many(make: () => Uint8Array, count: number = MESSAGES): Uint8Array {
  return concat(Array.from({ length: count }, make))
}

function streamsOf(victim: VictimKind, protocol: string, bytes: (self: Uint8Array) => Uint8Array, end?: number): Flood {
  return {
    victim,
    messages: MESSAGES,
    next: (stream, self) => many(() => message(stream(), protocol, bytes(self), end))
  }
}

/** A request of this type to a DHT server. */
function kad(type: number): Flood {
  return streamsOf('relay', KAD_PROTOCOL, (id) =>
    kadFrame({ type, key: KEY, providers: type === KAD.ADD_PROVIDER ? [{ id, multiaddrs: [] }] : [] })
  )
}

export const FLOODS: Record<string, Flood> = {
  'opens and resets of streams': {
    victim: 'node',
    messages: 2_500,
    next: (stream) =>
      many(() => {
        const id = stream()
        return concat([header(TYPE.windowUpdate, FLAG.syn, id, 0), header(TYPE.windowUpdate, FLAG.rst, id, 0)])
      }, 2_500)
  },
  'opens of streams': {
    victim: 'node',
    messages: 5_000,
    next: (stream) => many(() => header(TYPE.windowUpdate, FLAG.syn, stream(), 0), 5_000)
  },
  'pings of Yamux': {
    victim: 'node',
    messages: 5_000,
    next: () => many(() => header(TYPE.ping, FLAG.syn, 0, 1), 5_000)
  },
  'pings of Yamux, replies unread': {
    victim: 'node',
    messages: 5_000,
    deaf: true,
    next: () => many(() => header(TYPE.ping, FLAG.syn, 0, 1), 5_000)
  },
  'empty frames of a stream': {
    victim: 'node',
    messages: 5_000,
    first: () => header(TYPE.windowUpdate, FLAG.syn, 99_999, 0),
    next: () => many(() => data(FLAG.none, 99_999, new Uint8Array()), 5_000)
  },
  'window updates of a stream': {
    victim: 'node',
    messages: 5_000,
    first: () => header(TYPE.windowUpdate, FLAG.syn, 99_999, 0),
    next: () => many(() => header(TYPE.windowUpdate, FLAG.none, 99_999, 0), 5_000)
  },
  'one frame without an end': {
    victim: 'node',
    messages: 1,
    first: () => header(TYPE.data, FLAG.syn, 99_999, 2 ** 32 - 1),
    next: () => new Uint8Array(64_000)
  },
  'one frame, byte by byte': {
    victim: 'node',
    messages: 2_000,
    dribble: true,
    first: () => header(TYPE.data, FLAG.syn, 99_999, 262_000),
    next: () => new Uint8Array(2_000)
  },
  'a request in frames of one byte': {
    victim: 'node',
    messages: 4_000,
    first: () => message(99_999, GENERATE_PROTOCOL, encode(MAX_FRAME_BYTES), FLAG.none),
    next: () => many(() => data(FLAG.none, 99_999, Uint8Array.of(0)), 4_000)
  },
  'a request byte by byte': {
    victim: 'node',
    messages: 2_000,
    dribble: true,
    first: () => message(99_999, GENERATE_PROTOCOL, encode(MAX_FRAME_BYTES), FLAG.none),
    next: () => many(() => data(FLAG.none, 99_999, Uint8Array.of(0)), 150)
  },
  'requests for cards': streamsOf('node', CARD_PROTOCOL, () => new Uint8Array()),
  'requests and cancels': streamsOf(
    'node',
    GENERATE_PROTOCOL,
    () => framed(encodeRequest(request(engine)).bytes),
    FLAG.rst
  ),
  'requests for identify': streamsOf('relay', '/ipfs/id/1.0.0', () => new Uint8Array()),
  'identify pushes': streamsOf('relay', '/ipfs/id/push/1.0.0', () => framed(identifyMessage())),
  'DHT: PUT_VALUE': kad(KAD.PUT_VALUE),
  'DHT: GET_VALUE': kad(1),
  'DHT: ADD_PROVIDER': kad(KAD.ADD_PROVIDER),
  'DHT: GET_PROVIDERS': kad(3),
  'DHT: FIND_NODE': kad(KAD.FIND_NODE),
  'DHT: PING': kad(5),
  'relay: reservations': streamsOf('relay', RELAY_V2_HOP_CODEC, () => framed(hop(0))),
  'relay: connects': streamsOf('relay', RELAY_V2_HOP_CODEC, () => framed(hop(1)))
}

let pushes = 0

/** The fields of libp2p's identify message: 2 addresses, 3 protocols. Each message differs from the one before. */
function identifyMessage(): Uint8Array {
  const writer = new BinaryWriter()
  writer.tag(2, 2).bytes(Uint8Array.of(6, 1 + (++pushes % 200), pushes % 256))
  writer.tag(3, 2).string(`/flood/${pushes}`)
  return writer.finish()
}

/** The fields of a circuit relay's HopMessage: 1 type, 2 peer (1 id). */
function hop(type: number): Uint8Array {
  const peer = new BinaryWriter().tag(1, 2).bytes(KEY).finish()
  return new BinaryWriter().tag(1, 0).uint32(type).tag(2, 2).bytes(peer).finish()
}
