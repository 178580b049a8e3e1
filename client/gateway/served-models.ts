/** What the network serves now, and errors that say so. */
import { deadline, formatDigest, parseDigest, PotluckError } from '@potluck/protocol'

import type { Client, KnownNode } from '../index.ts'
import { toModelViews, type ModelView } from '../discover/models.ts'
import { ApiError, invalid, type ApiErrorOptions } from './errors.ts'
import { toApiError } from './failure.ts'
import { DEFAULT_RETRY_MS, LIST_WAIT_MS, NAMED_MODELS } from './limits.ts'

/** What a request that found nobody had asked for. */
export interface Wanted {
  model: string
  maxTokens?: number | undefined
}

export class ServedModels {
  readonly #client: Pick<Client, 'nodes'>
  readonly #waitMs: number

  constructor(client: Pick<Client, 'nodes'>, waitMs: number = LIST_WAIT_MS) {
    this.#client = client
    this.#waitMs = waitMs
  }

  /**
   * What is found within some seconds. The lookup itself goes on, for whoever asks next.
   *
   * @throws PotluckError `aborted` by the signal
   */
  async list(signal: AbortSignal): Promise<ModelView[]> {
    const nodes: KnownNode[] = []
    try {
      for await (const node of this.#client.nodes({ signal: deadline(this.#waitMs, signal) })) nodes.push(node)
    } catch (error) {
      // A network that cannot be entered serves nothing, and a slow lookup what it found so far.
      if (signal.aborted || !(error instanceof PotluckError)) throw error
    }
    return toModelViews(nodes)
  }

  /** A model by its digest, or the one that most nodes serve under the name. */
  choose(served: readonly ModelView[], id: string): ModelView | undefined {
    return named(served, id)[0]
  }

  /** An error as the caller gets it: what could not be found is told with what can. */
  async explain(error: unknown, { model, maxTokens = 0 }: Wanted, signal: AbortSignal): Promise<ApiError> {
    const searched =
      error instanceof PotluckError && (error.code === 'no_providers' || error.code === 'model_not_found')
    if (!searched || signal.aborted) return toApiError(error)
    const served = await this.list(signal).catch(() => [])
    if (served.length === 0) return nothingServed(error)
    const same = model === 'auto' ? served : named(served, model)
    if (same.length === 0) return notServed(model, served)
    const offers = same.slice(0, NAMED_MODELS).map(abilities).join('; ')
    const tooLong = same.every(({ contextLength }) => contextLength <= maxTokens)
    return invalid(
      tooLong ? 'max_tokens' : null,
      `No node that serves ${model} can do what the request asks for: ${offers}.`,
      tooLong ? 'context_length_exceeded' : 'unsupported'
    )
  }
}

export function notServed(model: string, served: readonly ModelView[]): ApiError {
  const names = [...new Set(served.map(({ name }) => name))]
  const others = names.length > NAMED_MODELS ? ` and ${names.length - NAMED_MODELS} more` : ''
  const now = names.length === 0 ? 'no model' : `${names.slice(0, NAMED_MODELS).join(', ')}${others}`
  return new ApiError(`No node serves the model ${JSON.stringify(model)} now; served are: ${now}.`, {
    status: 404,
    type: 'invalid_request_error',
    code: 'model_not_found',
    param: 'model'
  })
}

function nothingServed(cause: PotluckError): ApiError {
  const options: ApiErrorOptions = {
    status: 503,
    type: 'server_error',
    code: cause.code,
    retryAfterMs: DEFAULT_RETRY_MS,
    shouldRetry: true,
    cause
  }
  return new ApiError('No node was found that serves any model; start one with `potluck serve`.', options)
}

function named(served: readonly ModelView[], id: string): ModelView[] {
  const digest = parseDigest(id)
  if (digest !== undefined) return served.filter((model) => model.digest === formatDigest(digest))
  return served.filter(({ name }) => name.toLowerCase() === id.toLowerCase())
}

function abilities({ name, features, contextLength }: ModelView): string {
  return `${name} offers ${features.join(', ')} within ${contextLength} tokens`
}
