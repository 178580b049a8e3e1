/** The model file that `serve` shall offer: given, chosen, or crumb. */
import { stat } from 'node:fs/promises'

import { crumb } from '../../models/crumb.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import type { CommandContext } from '../program.ts'

export interface FoundModel {
  path: string
  /** `user/repo:QUANT`, where it is known. */
  name: string | undefined
  /** The digest it must have, `sha256:…`, where one is known. */
  digest: string | undefined
}

/** @throws Failure where it cannot be had */
export async function findModel({ settings }: CommandContext): Promise<FoundModel> {
  const { serveModel: model, name, sha256 } = settings
  if (model === undefined) return { path: crumb.Q8_0.path, name: name ?? crumb.Q8_0.name, digest: sha256 }
  const file = await stat(model).catch((cause: unknown) => {
    throw new Failure(`there is no model file ${model}`, { exitCode: EXIT_USAGE, cause })
  })
  if (!file.isFile()) throw new Failure(`${model} is no file`, { exitCode: EXIT_USAGE })
  return { path: model, name, digest: sha256 }
}
