/** The models that the network serves, from the known nodes. Pure. */
import { formatDigest } from '@potluck/protocol'

import type { KnownNode } from './known-node.ts'

export interface ModelView {
  /** `sha256:…`: the model's identity. */
  digest: string
  /** The name that most of its nodes use. */
  name: string
  architecture: string
  parameters: number
  quantization: string
  /** Tokens of prompt and answer together, on the node with the longest context. */
  contextLength: number
  features: readonly string[]
  sizeBytes: number
  /** Nodes that serve it and are not draining. */
  nodes: number
  /** Free slots of these nodes. */
  freeSlots: number
  /** The best rates that any of these nodes claims, tokens per second. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
}

/** One entry per digest, sorted by the number of nodes. */
export function toModelViews(nodes: readonly KnownNode[]): ModelView[] {
  const served = nodes
    .filter(({ card }) => !card.draining)
    .flatMap(({ card, load }) => card.models.map((model) => ({ model, load })))
  const groups = Map.groupBy(served, ({ model }) => formatDigest(model.digest))
  return [...groups]
    .flatMap(([digest, copies]) => {
      const [first] = copies
      if (first === undefined) return []
      const models = copies.map(({ model }) => model)
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
          nodes: copies.length,
          freeSlots: copies.reduce((sum, { load }) => sum + Math.max(0, load.slots - load.active), 0),
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
