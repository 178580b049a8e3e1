/** What the network serves, seen by model. A pure function. */
import { formatDigest } from '@potluck/protocol'

import type { Sighting } from './ask-card.ts'

export interface ModelView {
  /** `sha256:…`: the model's identity. */
  digest: string
  /** The name that most of its nodes give it. */
  name: string
  architecture: string
  parameters: number
  quantization: string
  /** Tokens of prompt and answer together, on the node that holds most. */
  contextLength: number
  features: readonly string[]
  sizeBytes: number
  /** Nodes that serve it and are not leaving. */
  nodes: number
  /** Slots of these nodes that are free now. */
  freeSlots: number
  /** The best rates that one of them measured of itself. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
}

/** One entry for each digest, those with most nodes first. */
export function toModelViews(sightings: readonly Sighting[]): ModelView[] {
  const served = sightings
    .filter(({ card }) => !card.draining)
    .flatMap(({ card, load }) => card.models.map((model) => ({ model, load })))
  const groups = Map.groupBy(served, ({ model }) => formatDigest(model.digest))
  return [...groups]
    .flatMap(([digest, offers]) => {
      const [first] = offers
      if (first === undefined) return []
      const models = offers.map(({ model }) => model)
      const { architecture, parameters, quantization, sizeBytes } = first.model
      return [
        {
          digest,
          name: mostFrequent(models.map(({ name }) => name)),
          architecture,
          parameters,
          quantization,
          sizeBytes,
          contextLength: Math.max(...models.map(({ contextLength }) => contextLength)),
          features: [...new Set(models.flatMap(({ features }) => features))],
          nodes: offers.length,
          freeSlots: offers.reduce((sum, { load }) => sum + Math.max(0, load.slots - load.active), 0),
          prefillTokensPerSecond: Math.max(...models.map(({ prefillTokensPerSecond }) => prefillTokensPerSecond)),
          decodeTokensPerSecond: Math.max(...models.map(({ decodeTokensPerSecond }) => decodeTokensPerSecond))
        }
      ]
    })
    .sort((a, b) => b.nodes - a.nodes || a.name.localeCompare(b.name))
}

function mostFrequent(names: readonly string[]): string {
  const counts = Map.groupBy(names, (name) => name)
  return [...counts].sort(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? ''
}
