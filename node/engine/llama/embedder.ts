/** Vectors of texts, in a context of its own: made for the first request, as most nodes are never asked. */
import type { LlamaEmbeddingContext, LlamaModel } from 'node-llama-cpp'
import { PotluckError, type Embeddings } from '@potluck/protocol'
import { EMBED_CONTEXT_LENGTH } from '../constants.ts'

export interface EmbedderOptions {
  threads: number
  /** Of one token at most. */
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

  /** Not with encoder and decoder both: the library cannot. */
  get supported(): boolean {
    const { hasEncoder, hasDecoder } = this.#model.fileInsights
    return !(hasEncoder && hasDecoder)
  }

  /**
   * The pooling is the file's own; without one, a vector is that of the text's last token, which has seen all others.
   *
   * @throws PotluckError `context_length_exceeded`; the signal's reason between two texts
   */
  async embed(texts: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    for (const text of texts) {
      if (Buffer.byteLength(text) > this.#contextLength * this.#options.longestPiece) throw this.#overflow()
    }
    const context = await this.#open()
    const vectors: Float32Array[] = []
    let promptTokens = 0
    for (const text of texts) {
      signal.throwIfAborted()
      const length = context.calculateInputLength(text)
      if (length >= this.#contextLength) throw this.#overflow()
      const { vector } = await context.getEmbeddingFor(text)
      vectors.push(normalised(vector))
      promptTokens += length
    }
    return { vectors, promptTokens }
  }

  async #open(): Promise<LlamaEmbeddingContext> {
    this.#context ??= this.#model.createEmbeddingContext({
      contextSize: this.#contextLength,
      // Pooling wants a whole text in one batch.
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

/** Of length 1, so that a scalar product is the cosine. */
function normalised(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector)
  if (!(length > 0 && Number.isFinite(length))) throw new Error('the model gave an embedding without a direction')
  return Float32Array.from(vector, (value) => value / length)
}
