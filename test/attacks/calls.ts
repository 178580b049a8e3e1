/** Callers from chosen addresses of loopback, whose requests to a node an attack controls frame by frame. */
import type { Connection, Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import {
  CREDIT_WINDOW,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeCredit,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_NODE_FRAME_BYTES,
  type GenerateRequest,
  type NodeFrame
} from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'

import type { PotluckNode } from '../../node/index.ts'
import type { AttackedNetwork } from './network.ts'

const WAIT = { timeoutMs: 30_000, timeoutCode: 'token_timeout' } as const

/** A peer whose connections come from this address, such as 127.0.2.1. On Linux all of 127.0.0.0/8 is loopback. */
export async function peerAt(network: AttackedNetwork, address: string): Promise<Libp2p> {
  // libp2p passes the options on to `net.connect`, but its type lists only some of them.
  const dialOpts = { localAddress: address } as object
  return await network.peer({
    addresses: { listen: [] },
    transports: [tcp({ dialOpts })],
    // All peers share this process, and a ping can wait behind their handshakes.
    connectionMonitor: { enabled: false }
  })
}

export async function dial(peer: Libp2p, node: PotluckNode): Promise<Connection> {
  return await peer.dial(multiaddr(node.addresses()[0]))
}

/** One request on its stream. */
export class Call {
  readonly #frames: FrameStream

  private constructor(frames: FrameStream) {
    this.#frames = frames
  }

  static async open(
    connection: Connection,
    { model }: { model: { digest: Uint8Array } },
    changes: Partial<GenerateRequest> = {}
  ): Promise<Call> {
    const stream = await connection.newStream(GENERATE_PROTOCOL, { maxOutboundStreams: 1_000 })
    const frames = new FrameStream(stream, { maxFrameBytes: MAX_NODE_FRAME_BYTES })
    const request: GenerateRequest = {
      requestId: crypto.getRandomValues(new Uint8Array(16)),
      modelDigest: model.digest,
      input: { prompt: 'a prompt' },
      sampling: { ...DEFAULT_SAMPLING, seed: 1n, temperature: 0 },
      maxTokens: 64,
      stop: [],
      credit: CREDIT_WINDOW,
      commitment: new Uint8Array(32),
      ...changes
    }
    await frames.send(encodeRequest(request).bytes, WAIT)
    return new Call(frames)
  }

  async grant(tokens: number): Promise<void> {
    await this.#frames.send(encodeCredit(tokens), WAIT)
  }

  /** Returns the next frame; undefined if the stream ended. */
  async next(): Promise<NodeFrame | undefined> {
    const bytes = await this.#frames.receive(WAIT)
    return bytes === undefined ? undefined : decodeNodeFrame(bytes)
  }

  /** Reads the answer to its last frame. */
  async last(): Promise<NodeFrame | undefined> {
    for (;;) {
      const frame = await this.next()
      if (frame?.type === 'accepted' || frame?.type === 'delta') continue
      await this.#frames.close()
      return frame
    }
  }

  abort(): void {
    this.#frames.abort(new Error('the caller cancels'))
  }
}
