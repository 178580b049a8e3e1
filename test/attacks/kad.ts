/** What an attacker sends to DHT servers. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { Connection } from '@libp2p/interface'
import { encodeAddProvider, FrameStream, KAD_PROTOCOL, type KadPeer } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'
import { encode as encodeVarint } from 'uint8-varint'
import { concat } from 'uint8arrays/concat'

import { KadMessageSchema } from '../../protocol/messages/kad_pb.ts'

/** Numbers of libp2p's messages. */
export const KAD = { PUT_VALUE: 0, GET_VALUE: 1, ADD_PROVIDER: 2, FIND_NODE: 4 } as const

const WAIT = { timeoutMs: 60_000, timeoutCode: 'token_timeout' } as const

/** One message with its length, as it goes over the wire. */
export function kadFrame(message: Parameters<typeof create<typeof KadMessageSchema>>[1]): Uint8Array {
  return framed(toBinary(KadMessageSchema, create(KadMessageSchema, message)))
}

/** The bytes after their length. */
export function framed(bytes: Uint8Array): Uint8Array {
  return concat([encodeVarint(bytes.byteLength), bytes])
}

/** Publishes provider records on one connection, each on its own stream. Resolves when the server has read them all. */
export async function publish(
  connection: Connection,
  records: ReadonlyArray<{ key: CID; provider: KadPeer }>
): Promise<void> {
  await Promise.all(
    batches(records, 16).map(async (batch) => {
      const stream = await connection.newStream(KAD_PROTOCOL, { maxOutboundStreams: 1_000 })
      const frames = new FrameStream(stream, { maxFrameBytes: 1_000_000 })
      try {
        for (const { key, provider } of batch) await frames.send(encodeAddProvider(key, provider), WAIT)
        await frames.close()
        // The server closes its side after the last record.
        await frames.receive(WAIT)
      } catch {
        // The server refuses records beyond its rate.
      }
    })
  )
}

/** Stores values at the server on one connection, until it refuses. Returns how many it confirmed. */
export async function putValues(connection: Connection, values: ReadonlyArray<StoredValue>): Promise<number> {
  const stored = await Promise.all(
    batches(values, 16).map(async (batch) => {
      let confirmed = 0
      await onStream(connection, async (frames) => {
        for (const { key, value } of batch) {
          // libp2p's record: 1 key, 2 value, 5 time.
          const record = new BinaryWriter().tag(1, 2).bytes(key).tag(2, 2).bytes(value)
          record.tag(5, 2).string(new Date().toISOString())
          const message = create(KadMessageSchema, { type: KAD.PUT_VALUE, key, record: record.finish() })
          await frames.send(toBinary(KadMessageSchema, message), WAIT)
          if ((await frames.receive(WAIT)) === undefined) return
          confirmed++
        }
      }).catch(() => undefined)
      return confirmed
    })
  )
  return stored.reduce((sum, one) => sum + one, 0)
}

/** Whether the server has a value under the key. */
export async function hasValue(connection: Connection, key: Uint8Array): Promise<boolean> {
  return await onStream(connection, async (frames) => {
    await frames.send(toBinary(KadMessageSchema, create(KadMessageSchema, { type: KAD.GET_VALUE, key })), WAIT)
    const reply = await frames.receive(WAIT)
    return reply !== undefined && fromBinary(KadMessageSchema, reply).record !== undefined
  })
}

export interface StoredValue {
  key: Uint8Array
  value: Uint8Array
}

async function onStream<T>(connection: Connection, use: (frames: FrameStream) => Promise<T>): Promise<T> {
  const stream = await connection.newStream(KAD_PROTOCOL, { maxOutboundStreams: 1_000 })
  const frames = new FrameStream(stream, { maxFrameBytes: 1_000_000 })
  try {
    const result = await use(frames)
    await frames.close()
    return result
  } catch (error) {
    frames.abort(new Error('the server refuses'))
    throw error
  }
}

/** Splits a list into this many lists, or fewer. */
function batches<T>(items: readonly T[], count: number): T[][] {
  const lists = Array.from({ length: count }, (_, at) => items.filter((_item, index) => index % count === at))
  return lists.filter(({ length }) => length > 0)
}
