/**
 * Computes embeddings in a separate context. It makes the context only at the first request, which most nodes never
 * get.
 */
import type { LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp'
import { PotluckError, type Embeddings } from '@potluck/protocol'
import { EMBED_CONTEXT_LENGTH } from '../constants.ts'

export interface EmbedderOptions {
  threads: number
  /** The most bytes of one token. */
  longestPiece: number
}

export class Embedder {
  readonly #model: LlamaModel
  readonly #options: EmbedderOptions
  readonly #contextLength: number
  #context: Promise<LlamaEmbeddingContext> | undefined

  constructor(model: LlamaModel, options: EmbedderOptions) {
    this.#model = model
    this.#options = options
    this.#contextLength = Math.min(model.trainContextSize, EMBED_CONTEXT_LENGTH)
  }

  /** False for models with both an encoder and a decoder, because the library cannot compute their embeddings. */
  get supported(): boolean {
    const { hasEncoder, hasDecoder } = this.#model.fileInsights
    return !(hasEncoder && hasDecoder)
  }

  /**
   * Returns a vector for each text, with the pooling that the model file specifies. If the file specifies none, the
   * vector of a text is the vector of its last token, because only the last token depends on all others.
   *
   * @throws PotluckError `context_length_exceeded` if a text is too long; the signal's reason, checked before each text
   */
  async embed(texts: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    for (const text of texts) {
      if (Buffer.byteLength(text) > this.#contextLength * this.#options.longestPiece) throw this.#overflow()
    }
    const context = await this.#open()
    const vectors: Float32Array[] = []
    const tokens: number[] = []
    for (const text of texts) {
      signal.throwIfAborted()
      const length = context.calculateInputLength(text)
      if (length >= this.#contextLength) throw this.#overflow()
      const { vector } = await context.getEmbeddingFor(text)
      vectors.push(normalised(vector))
      tokens.push(length)
    }
    return { vectors, tokens }
  }

  async #open(): Promise<LlamaEmbeddingContext> {
    this.#context ??= this.#model.createEmbeddingContext({
      contextSize: this.#contextLength,
      // Pooling needs a whole text in one batch.
      batchSize: this.#contextLength,
      threads: this.#options.threads
    })
    try {
      return await this.#context
    } catch (error) {
      this.#context = undefined
      throw error
    }
  }

  #overflow(): PotluckError {
    return new PotluckError(
      'context_length_exceeded',
      `a text for an embedding has at most ${this.#contextLength} tokens`
    )
  }
}

/** Scales the vector to length 1, so that a scalar product is the cosine. */
function normalised(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector)
  if (!(length > 0 && Number.isFinite(length)))
    throw new Error('the model returned an embedding that is zero or not finite')
  return Float32Array.from(vector, (value) => value / length)
}
