/** Formats the models that nodes serve as the models of an Ollama server. */
import type { ModelView } from '@potluck/client'
import type { Feature } from '@potluck/protocol'

import type { NamedModel } from '../served-models.ts'

/** The version of Ollama whose API the gateway has. Clients use newer parts of the API only if the version has them. */
export const OLLAMA_VERSION = '0.12.11'

/** Ollama's name for each feature. Ollama has no name for the others. */
const CAPABILITIES: Partial<Record<Feature, string>> = {
  chat: 'completion',
  tools: 'tools',
  reasoning: 'thinking',
  embeddings: 'embedding'
}

/** Every model counts as loaded. A node with several models loads a model when a request needs it. */
const NEVER = '9999-12-31T23:59:59Z'

interface ModelDetails {
  parent_model: string
  format: string
  family: string
  families: string[]
  parameter_size: string
  quantization_level: string
}

/** @param since the time as ISO 8601, because the network does not know when a model was made */
export function tag({ id, model }: NamedModel, since: string): object {
  return {
    name: id,
    model: id,
    modified_at: since,
    size: model?.sizeBytes ?? 0,
    digest: digestOf(model),
    details: details(model)
  }
}

/** A model that nodes serve now, in the form of a loaded model. */
export function running({ id, model }: NamedModel): object {
  const size = model?.sizeBytes ?? 0
  return {
    name: id,
    model: id,
    size,
    digest: digestOf(model),
    details: details(model),
    expires_at: NEVER,
    size_vram: size,
    context_length: model?.contextLength ?? 0
  }
}

export function shown({ model }: NamedModel, since: string): object {
  const architecture = model?.architecture ?? 'unknown'
  return {
    modelfile: '',
    parameters: '',
    template: '',
    license: '',
    details: details(model),
    model_info: {
      'general.architecture': architecture,
      'general.parameter_count': model?.parameters ?? 0,
      [`${architecture}.context_length`]: model?.contextLength ?? 0
    },
    capabilities: capabilities(model),
    modified_at: since
  }
}

/** Any model can answer a request for `auto`, so clients may use all that a model can do. */
function capabilities(model: ModelView | undefined): string[] {
  const named = Object.entries(CAPABILITIES)
  return named.flatMap(([feature, name]) => (model === undefined || model.features.includes(feature) ? [name] : []))
}

/** Clients show the first characters of the digest, so `auto` has one too. */
function digestOf(model: ModelView | undefined): string {
  return model?.digest.replace('sha256:', '') ?? '0'.repeat(64)
}

function details(model: ModelView | undefined): ModelDetails {
  const family = model?.architecture ?? ''
  return {
    parent_model: '',
    format: 'gguf',
    family,
    families: family === '' ? [] : [family],
    parameter_size: parameterSize(model?.parameters ?? 0),
    quantization_level: model?.quantization ?? ''
  }
}

/** Such as `8.0B` or `494.03M`. */
function parameterSize(parameters: number): string {
  if (parameters >= 1e9) return `${(parameters / 1e9).toFixed(1)}B`
  return parameters >= 1e6 ? `${(parameters / 1e6).toFixed(2)}M` : String(parameters)
}
