/** Registers every protocol that a node serves. */
import { CARD_PROTOCOL, FrameStream, MAX_FRAME_BYTES } from '@potluck/protocol'

import type { Host } from '../network/libp2p.ts'
import { auditProtocol, type AuditDependencies } from './audit.ts'
import { serveCard, type CardDependencies } from './card.ts'
import { embedProtocol, type EmbedDependencies } from './embed.ts'
import { generateProtocol, type GenerateDependencies } from './generate.ts'
import { serveStream, type ServeDependencies, type ServedProtocol } from './serve.ts'

type Dependencies = ServeDependencies & GenerateDependencies & EmbedDependencies & AuditDependencies & CardDependencies

export interface RegisterOptions {
  /** Streams that a peer may open on one connection, for each protocol. */
  maxInboundStreams: number
  /** Called with every stream. The promise resolves when the stream is closed. */
  track: (stream: Promise<void>) => Promise<void>
}

export async function registerProtocols(
  host: Pick<Host, 'handle'>,
  node: Dependencies,
  { maxInboundStreams, track }: RegisterOptions
): Promise<void> {
  const handle = async (
    id: string,
    maxFrameBytes: number,
    serve: (frames: FrameStream, peer: string) => Promise<void>
  ): Promise<void> => {
    await host.handle(
      id,
      async (stream, { remotePeer }) => {
        await track(serve(new FrameStream(stream, { maxFrameBytes }), remotePeer.toString()))
      },
      { runOnLimitedConnection: true, maxInboundStreams }
    )
  }
  const serve = async <Request, Job, Result>(protocol: ServedProtocol<Request, Job, Result>): Promise<void> => {
    await handle(protocol.id, MAX_FRAME_BYTES, async (frames, peer) => {
      await serveStream(frames, peer, protocol, node)
    })
  }
  await serve(generateProtocol(node))
  await serve(embedProtocol(node))
  await serve(auditProtocol(node))
  // A caller of the card protocol sends no frame.
  await handle(CARD_PROTOCOL, 0, async (frames, peer) => await serveCard(frames, peer, node))
}
