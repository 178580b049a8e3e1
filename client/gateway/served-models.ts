/** The models that the network serves now, and the errors that name them. */
import { toModelViews, type Client, type KnownNode, type ModelView } from '@potluck/client'
import { deadline, formatDigest, modelName, parseDigest, PotluckError } from '@potluck/protocol'

import { ApiError, invalid, type ApiErrorOptions } from './errors.ts'
import { toApiError } from './failure.ts'
import { DEFAULT_RETRY_MS, LIST_WAIT_MS, NAMED_MODELS } from './limits.ts'

/** The model that a request names, and the answer length that it asks for. */
export interface RequestedModel {
  /** A name, a digest or `auto`. */
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
   * Returns the models that the client finds within `LIST_WAIT_MS`.
   *
   * @throws PotluckError `aborted` if the signal fires
   */
  async list(signal: AbortSignal): Promise<ModelView[]> {
    return toModelViews(await this.nodes(signal, this.#waitMs))
  }

  /**
   * Returns the nodes that the client finds within this time. The lookup continues in the background, so the next call
   * can return more nodes.
   *
   * @throws PotluckError `aborted` if the signal fires
   */
  async nodes(signal: AbortSignal, waitMs: number): Promise<KnownNode[]> {
    const nodes: KnownNode[] = []
    try {
      for await (const node of this.#client.nodes({ signal: deadline(waitMs, signal) })) nodes.push(node)
    } catch (error) {
      // If the lookup fails or is too slow, the list has the nodes that were found so far.
      if (signal.aborted || !(error instanceof PotluckError)) throw error
    }
    return nodes
  }

  /** The model with this digest, or the model that most nodes serve under this name. */
  choose(served: readonly ModelView[], id: string): ModelView | undefined {
    return named(served, id)[0]
  }

  /**
   * Returns the error for the caller. If no node was found for the request, the error names the models that nodes
   * serve.
   */
  async explain(error: unknown, { model, maxTokens = 0 }: RequestedModel, signal: AbortSignal): Promise<ApiError> {
    const notFound =
      error instanceof PotluckError && (error.code === 'no_providers' || error.code === 'model_not_found')
    if (!notFound || signal.aborted) return toApiError(error)
    const served = await this.list(signal).catch(() => [])
    if (served.length === 0) return nothingServed(error)
    const same = model === 'auto' ? served : named(served, model)
    if (same.length === 0) return notServed(model, served)
    const supported = same.slice(0, NAMED_MODELS).map(capabilities).join('; ')
    const longest = Math.max(...same.map(({ contextLength }) => contextLength))
    const tooLong = longest <= maxTokens
    const limit = tooLong ? `This model's maximum context length is ${longest} tokens. ` : ''
    return invalid(
      tooLong ? 'max_tokens' : null,
      `${limit}No node that serves ${model} supports this request. Available: ${supported}.`,
      tooLong ? 'context_length_exceeded' : 'unsupported'
    )
  }
}

/** The ids by which callers can name the served models. */
export interface NamedModel {
  id: string
  /** Undefined for `auto`, which selects the best model at the time of each request. */
  model: ModelView | undefined
}

/**
 * The id of a model is its name. If several models have the same name, the model that most nodes serve gets the name as
 * its id. The other models get their digest as their id.
 */
export function withIds(served: readonly ModelView[]): NamedModel[] {
  const names = new Set<string>()
  const named = served.map((model) => {
    const taken = names.has(model.name)
    names.add(model.name)
    return { id: taken ? model.digest : model.name, model }
  })
  return named.length === 0 ? [] : [{ id: 'auto', model: undefined }, ...named]
}

export function notServed(model: string, served: readonly ModelView[]): ApiError {
  const names = [...new Set(served.map(({ name }) => name))]
  const others = names.length > NAMED_MODELS ? ` and ${names.length - NAMED_MODELS} more` : ''
  const now = names.length === 0 ? 'no model' : `${names.slice(0, NAMED_MODELS).join(', ')}${others}`
  return new ApiError(`No node serves the model ${JSON.stringify(model)} now; nodes serve ${now}.`, {
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
  const { message, remedy } = cause
  // The remedy says that another node would not help: the client did not join the network, or a clock is wrong.
  return new ApiError(
    remedy === undefined
      ? 'Found no node that serves a model. Start one with `potluck serve`.'
      : `Found no node that serves a model: ${message}; ${remedy}.`,
    options
  )
}

function named(served: readonly ModelView[], id: string): ModelView[] {
  const digest = parseDigest(id)
  if (digest !== undefined) return served.filter((model) => model.digest === formatDigest(digest))
  const wanted = modelName(id).toLowerCase()
  return served.filter(({ name }) => name.toLowerCase() === wanted)
}

function capabilities({ name, features, contextLength }: ModelView): string {
  return `${name} (${features.join(', ')}; up to ${contextLength} tokens)`
}
