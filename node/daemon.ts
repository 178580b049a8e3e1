/**
 * The node daemon: composes identity, host, admission, advertisement, metrics and the three protocols
 * around an engine. Each part does its own work; here they only meet.
 */
import type { IdentifyResult } from '@libp2p/interface'
import {
  AUDIT_PROTOCOL,
  CARD_PROTOCOL,
  EMBED_PROTOCOL,
  FrameStream,
  GENERATE_PROTOCOL,
  KAD_PROTOCOL,
  MAX_FRAME_BYTES
} from '@potluck/protocol'

import { AbuseLog } from './admission/abuse.ts'
import { Door } from './admission/door.ts'
import { FairQueue } from './admission/queue.ts'
import { Advertiser } from './advertise/advertiser.ts'
import { AGENT } from './agent.ts'
import { detectHardware } from './hardware/detect.ts'
import { measureRates } from './hardware/measure.ts'
import { Lifetime } from './lifetime.ts'
import { DEFAULT_LIMITS, REMEMBERED_PEERS, streamsPerConnection } from './limits.ts'
import { startControl } from './metrics/control.ts'
import { startMetricsHttp } from './metrics/http.ts'
import { Metrics } from './metrics/metrics.ts'
import { close } from './metrics/server.ts'
import { keepBootstrapped } from './network/bootstrap.ts'
import { openIdentity } from './network/identity.ts'
import { meetDiscovered } from './network/lan.ts'
import { createNodeHost, type Host } from './network/libp2p.ts'
import type { NodeEvent, NodeOptions, PotluckNode } from './node.ts'
import { serveAudit, type AuditService } from './serve/audit.ts'
import { serveCard, type CardService } from './serve/card.ts'
import { serveEmbed, type EmbedService } from './serve/embed.ts'
import { serveGenerate } from './serve/generate.ts'
import type { GenerateService } from './serve/service.ts'
import { describeReachability, toStatusCard } from './status.ts'

/**
 * Starts a node: it serves the engine's model, and advertises it as soon as it knows a peer.
 *
 * @throws Error in one line, if the data directory is in use or an address or port cannot be listened on;
 *   the signal's reason
 */
export async function startNode(options: NodeOptions): Promise<PotluckNode> {
  const lifetime = new Lifetime()
  try {
    return await compose(options, lifetime)
  } catch (error) {
    await lifetime.stop()
    throw error
  }
}

async function compose(options: NodeOptions, lifetime: Lifetime): Promise<PotluckNode> {
  const { engine, scope, logger, now = Date.now, signal = lifetime.stopping } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const clock = (): number => performance.now()
  const startedAt = clock()
  const events = new Events()
  let leaving: Promise<void> | undefined
  const draining = (): boolean => leaving !== undefined

  const identity = await openIdentity(options)
  lifetime.onStop(identity.close)

  const hostOptions = { listen: options.listen, announce: options.announce ?? [], mdns: options.mdns ?? false }
  const bounds = { connections: limits.connections, streams: streamsPerConnection(limits) }
  const host = await createNodeHost({ ...hostOptions, ...bounds, identity, scope, agent: AGENT })
  lifetime.onStop(async () => await host.stop())
  signal.throwIfAborted()
  const addresses = (): string[] => host.getMultiaddrs().map(String)

  const queue = new FairQueue({ slots: engine.slots, capacity: engine.slots * limits.queuedPerSlot, now: clock })
  const door = new Door({ ...limits, rememberedPeers: REMEMBERED_PEERS, now: clock })
  const load = (): ReturnType<PotluckNode['load']> => queue.load()
  const engineCounters = async (): ReturnType<typeof engine.counters> => await engine.counters()
  const metrics = new Metrics({ load, streamsOpen: () => door.size, engine: engineCounters }, clock)

  const advertiser = await Advertiser.start({
    dht: host.services.dht,
    facts: {
      peerId: host.peerId,
      agent: AGENT,
      engine,
      hardware: detectHardware(engine.backend),
      rates: await measureRates(engine, signal),
      scope
    },
    addresses,
    privateKey: identity.privateKey,
    logger,
    now,
    onPublished: (card) => events.emit({ type: 'advertised', card })
  })
  lifetime.onStop(async () => await advertiser.stop())

  const service = {
    engine,
    door,
    queue,
    abuse: new AbuseLog(logger, clock),
    metrics,
    limits,
    privateKey: identity.privateKey,
    logger,
    now,
    clock,
    draining,
    stopping: lifetime.stopping
  }
  await serveProtocols(host, lifetime, bounds.streams, {
    generate: service,
    audit: service,
    embed: service,
    card: { card: () => advertiser.signed.bytes, load, logger, stopping: lifetime.stopping }
  })
  watchNetwork(host, advertiser)
  lifetime.onStop(watchEngine(options, advertiser, events))

  if (options.metricsPort !== undefined) {
    const ready = (): boolean => engine.status.state === 'ready' && !draining()
    const server = await startMetricsHttp({ port: options.metricsPort, text: async () => await metrics.text(), ready })
    lifetime.onStop(async () => await close(server))
  }
  if (options.dataDirectory !== undefined) {
    const server = await startControl(options.dataDirectory, async () => ({
      peerId: host.peerId.toString(),
      agent: AGENT,
      addresses: addresses(),
      reachability: describeReachability(addresses()),
      connections: host.getConnections().length,
      uptimeMs: Math.round(clock() - startedAt),
      draining: draining(),
      engine: engine.status,
      load: load(),
      card: toStatusCard(advertiser.signed.card),
      metrics: await metrics.snapshot()
    }))
    lifetime.onStop(async () => await close(server))
  }

  const leave = async (): Promise<void> => {
    events.emit({ type: 'withdrawn', reason: 'the node leaves' })
    await Promise.all([advertiser.withdraw(), lifetime.idle(limits.drainTimeoutMs)])
    await lifetime.stop()
  }

  // Last, and nothing is awaited after it: whoever listens from here on hears every event.
  const bootstrap = { addresses: options.bootstrap ?? [], logger, signal: lifetime.stopping }
  if (hostOptions.mdns) meetDiscovered(host, bootstrap)
  const bootstrapping = keepBootstrapped(host, bootstrap)
  lifetime.onStop(async () => await bootstrapping)

  return {
    peerId: host.peerId,
    addresses,
    card: () => advertiser.signed.card,
    load,
    metrics: async () => await metrics.snapshot(),
    onEvent: (listener) => events.listen(listener),
    drain: async () => await (leaving ??= leave()),
    stop: async () => await lifetime.stop()
  }
}

class Events {
  readonly #listeners = new Set<(event: NodeEvent) => void>()

  listen(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

interface Services {
  generate: GenerateService
  audit: AuditService
  embed: EmbedService
  card: CardService
}

async function serveProtocols(
  host: Host,
  lifetime: Lifetime,
  maxInboundStreams: number,
  { generate, audit, embed, card }: Services
): Promise<void> {
  const streamOptions = { runOnLimitedConnection: true, maxInboundStreams }
  await host.handle(
    GENERATE_PROTOCOL,
    async (stream, { remotePeer }) => {
      const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
      await lifetime.track(serveGenerate(frames, remotePeer.toString(), generate))
    },
    streamOptions
  )
  await host.handle(
    AUDIT_PROTOCOL,
    async (stream, { remotePeer }) => {
      const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
      await lifetime.track(serveAudit(frames, remotePeer.toString(), audit))
    },
    streamOptions
  )
  await host.handle(
    EMBED_PROTOCOL,
    async (stream, { remotePeer }) => {
      const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
      await lifetime.track(serveEmbed(frames, remotePeer.toString(), embed))
    },
    streamOptions
  )
  await host.handle(
    CARD_PROTOCOL,
    async (stream, { remotePeer }) => {
      // The caller sends nothing.
      await lifetime.track(serveCard(new FrameStream(stream, { maxFrameBytes: 0 }), remotePeer.toString(), card))
    },
    streamOptions
  )
}

/** New peers of the DHT, and new addresses of our own, are reasons to publish the card again. */
function watchNetwork(host: Host, advertiser: Advertiser): void {
  host.addEventListener('peer:identify', ({ detail: { protocols } }: CustomEvent<IdentifyResult>) => {
    if (protocols.includes(KAD_PROTOCOL)) advertiser.peerGained()
  })
  host.addEventListener('self:peer:update', () => advertiser.addressesChanged())
  // Those who came while the rates were measured, or the relay that the node listens on.
  if (host.getPeers().length > 0) advertiser.peerGained()
}

/** An engine that is given up takes its model off the network, and the owner hears why. */
function watchEngine({ engine, logger }: NodeOptions, advertiser: Advertiser, events: Events): () => Promise<void> {
  const unlisten = engine.onStatus((status) => {
    events.emit({ type: 'engine', status })
    if (status.state !== 'failed') return
    logger.error({ reason: status.reason }, 'the engine is given up: the model is withdrawn')
    events.emit({ type: 'withdrawn', reason: status.reason })
    advertiser.engineFailed()
  })
  return async () => unlisten()
}
