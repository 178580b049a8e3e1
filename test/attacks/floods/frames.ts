/** Frames of Yamux, which the attacker writes itself: a flood would be slower through libp2p's own streams. */
import { concat } from 'uint8arrays/concat'

import { framed } from '../kad.ts'

export const TYPE = { data: 0, windowUpdate: 1, ping: 2 } as const
export const FLAG = { none: 0, syn: 1, fin: 4, rst: 8 } as const

/** The 12 bytes before the data of a frame. */
export function header(type: number, flag: number, stream: number, length: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(12))
  bytes.setUint8(1, type)
  bytes.setUint16(2, flag)
  bytes.setUint32(4, stream)
  bytes.setUint32(8, length)
  return new Uint8Array(bytes.buffer)
}

export function data(flag: number, stream: number, bytes: Uint8Array): Uint8Array {
  return concat([header(TYPE.data, flag, stream, bytes.byteLength), bytes])
}

/** Opens a stream, negotiates the protocol without waiting for the reply, sends a message, and ends the stream. */
export function message(stream: number, protocol: string, bytes: Uint8Array, end: number = FLAG.fin): Uint8Array {
  const line = (text: string): Uint8Array => framed(new TextEncoder().encode(`${text}\n`))
  const opening = data(FLAG.syn, stream, concat([line('/multistream/1.0.0'), line(protocol), bytes]))
  return concat([opening, header(TYPE.windowUpdate, end, stream, 0)])
}
