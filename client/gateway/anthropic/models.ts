/** Formats the models that nodes serve as a list of Anthropic's API. */
import type { NamedModel } from '../served-models.ts'

export interface ModelInfo {
  type: 'model'
  id: string
  display_name: string
  /** The network does not know when a model was made. This is the start of the gateway. */
  created_at: string
  lifecycle: 'active'
  /** Tokens of prompt and answer together. Null for `auto`, which selects a model for each request. */
  max_input_tokens: number | null
  max_tokens: number | null
  capabilities: null
  deprecated_at: null
  retires_at: null
  line: null
}

/** @param startedAt in seconds since the epoch */
export function modelInfo({ id, model }: NamedModel, startedAt: number): ModelInfo {
  return {
    type: 'model',
    id,
    display_name: model?.name ?? id,
    created_at: new Date(startedAt * 1000).toISOString(),
    lifecycle: 'active',
    max_input_tokens: model?.contextLength ?? null,
    max_tokens: model?.contextLength ?? null,
    capabilities: null,
    deprecated_at: null,
    retires_at: null,
    line: null
  }
}

/** All models are on the first page. */
export function modelPage(data: readonly ModelInfo[]): object {
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}
