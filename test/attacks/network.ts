/** Honest nodes, relays and clients of an attack, and connections for the attacker, over real libp2p on loopback. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createClient, type Client, type ClientOptions } from '@potluck/client'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { pino, type Logger } from 'pino'

import type { Engine } from '../../node/engine/interface.ts'
import {
  startNode,
  startRelay,
  type NodeOptions,
  type PotluckNode,
  type Relay,
  type RelayOptions
} from '../../node/index.ts'
import { FakeNode, startPeer, type FakeNodeOptions } from '../e2e/client/fake-node.ts'
import type { Script } from '../e2e/client/script.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
const silent: Logger = pino({ level: 'silent' })

/** Stops everything that it started when it is disposed, in the reverse order. */
export class AttackedNetwork implements AsyncDisposable {
  readonly #started = new AsyncDisposableStack()

  async relay(options: Partial<RelayOptions> = {}): Promise<Relay> {
    const relay = await startRelay({ listen: [LOOPBACK], scope: 'local', logger: silent, ...options })
    this.#started.defer(async () => await relay.stop())
    return relay
  }

  /** @param engine default: a scripted engine */
  async node(options: Partial<NodeOptions> = {}, engine: Engine = new ScriptedEngine()): Promise<PotluckNode> {
    const node = await startNode({ engine, listen: [LOOPBACK], scope: 'local', logger: silent, ...options })
    this.#started.defer(async () => await node.stop())
    return node
  }

  async client(options: ClientOptions = {}): Promise<Client> {
    const client = await createClient({ scope: 'local', mdns: false, ...options })
    this.#started.defer(async () => await client.stop())
    return client
  }

  /** A node of the attacker. Its card and its frames are what the attack makes of them. */
  async hostile(options: FakeNodeOptions, serve: (script: Script) => Promise<void>): Promise<FakeNode> {
    const node = await FakeNode.start(options)
    this.#started.defer(async () => await node.stop())
    node.serve = serve
    return node
  }

  /** The libp2p peer of an app, which many clients can share. Each of them begins without any knowledge of nodes. */
  async app(): Promise<Libp2p> {
    const app = await startPeer()
    this.#started.defer(async () => await app.stop())
    return app
  }

  /** As `attackingPeer`. */
  async peer(options: Libp2pOptions = {}): Promise<Libp2p> {
    const peer = await attackingPeer(options)
    this.#started.defer(async () => await peer.stop())
    return peer
  }

  /** Runs when the network is disposed. */
  defer(end: () => Promise<void>): void {
    this.#started.defer(end)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.disposeAsync()
  }
}

/**
 * A libp2p peer with a new key, for the attacker, who also stops it. It serves and speaks only what the attack adds.
 */
export async function attackingPeer(options: Libp2pOptions = {}): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: [LOOPBACK] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
    ...options
  })
}
