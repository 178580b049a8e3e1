/**
 * `/potluck/embed/1.0.0`: texts in one frame, their vectors in one frame. serve.ts runs the steps below.
 *
 * An embedding waits in the same queue as answers, because it uses the same processor.
 */
import {
  decodeEmbedRequest,
  EMBED_PROTOCOL,
  encodeEmbedReply,
  PotluckError,
  type EmbedRequest,
  type Embeddings
} from '@potluck/protocol'

import type { Engine } from '../engine/interface.ts'
import { checkModel, type ServedModel } from './check.ts'
import type { ServedProtocol } from './serve.ts'

export interface EmbedDependencies {
  engine: Pick<Engine, 'embed'>
  servedModel: () => ServedModel
}

export function embedProtocol({
  engine,
  servedModel
}: EmbedDependencies): ServedProtocol<EmbedRequest, EmbedRequest, Embeddings> {
  return {
    id: EMBED_PROTOCOL,
    decode: decodeEmbedRequest,
    check: ({ modelDigest }) => {
      const now = servedModel()
      checkModel(modelDigest, now)
      if (!now.model.features.includes('embeddings'))
        throw new PotluckError('unsupported', 'the model lacks embeddings')
    },
    prepare: async (request) => request,
    run: async ({ texts }, { closed }) => await engine.embed(texts, closed),
    encodeResult: (result) => encodeEmbedReply({ type: 'result', result }),
    encodeError: encodeEmbedReply
  }
}
