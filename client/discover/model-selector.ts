import { modelName, parseDigest, PotluckError, type Topic } from '@potluck/protocol'

/** Which models a request accepts. */
export type ModelSelector =
  /** The best model that is served now. */
  | { kind: 'auto' }
  /** Exactly these weights. */
  | { kind: 'digest'; digest: Uint8Array }
  /** Any model under this name. Case does not matter. */
  | { kind: 'name'; name: string }

/**
 * Reads the `model` of a request: `auto`, a digest (`sha256:…`), or a name as `modelName` accepts it.
 *
 * @throws PotluckError `invalid_request` for an empty name
 */
export function parseModelSelector(model: string): ModelSelector {
  if (model === 'auto') return { kind: 'auto' }
  if (model === '') throw new PotluckError('invalid_request', 'invalid request: model must not be empty')
  const digest = parseDigest(model)
  return digest === undefined ? { kind: 'name', name: modelName(model) } : { kind: 'digest', digest }
}

/** The topic under which nodes with such a model are listed. */
export function topicOf(selector: ModelSelector): Topic {
  return selector.kind === 'auto' ? { kind: 'nodes' } : selector
}
