/** What the caller's `model` asks for, and where on the DHT nodes that may have it stand. */
import { anyNodeCid, modelCid, nameCid, parseDigest, PotluckError } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

export type Want =
  /** The best model that is served now. */
  | { kind: 'auto' }
  /** These weights and no others. */
  | { kind: 'digest'; digest: Uint8Array }
  /** Whatever is served under this name. */
  | { kind: 'name'; name: string }

/** @throws PotluckError `invalid_request` for an empty name */
export function parseWant(model: string): Want {
  if (model === 'auto') return { kind: 'auto' }
  if (model === '') throw new PotluckError('invalid_request', 'invalid request: model must not be empty')
  const digest = parseDigest(model)
  return digest === undefined ? { kind: 'name', name: model } : { kind: 'digest', digest }
}

/** The provider key to look under. */
export function wantCid(want: Want): CID {
  switch (want.kind) {
    case 'auto':
      return anyNodeCid()
    case 'digest':
      return modelCid(want.digest)
    case 'name':
      return nameCid(want.name)
  }
}
