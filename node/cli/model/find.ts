/** Finds the model file to serve: the model that the user names or chooses, or crumb. */
import { stat } from 'node:fs/promises'

import { formatDigest, parseDigest } from '@potluck/protocol'

import { crumb } from '../../models/crumb.ts'
import type { CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'
import { messageOf, usageError } from '../terminal/errors.ts'
import { printNote } from '../terminal/output.ts'
import { chooseModel } from './choose.ts'
import { checkFile, fetchModel } from './fetch.ts'
import { nameOf } from './hub.ts'

export interface FoundModel {
  path: string
  /** `user/repo:QUANT`. If it is undefined, the engine uses the name of the file. */
  name: string | undefined
}

/** @throws CommandError if the file does not exist, cannot be downloaded, or does not have the expected digest */
export async function findModel(context: CommandContext): Promise<FoundModel> {
  const { settings, interrupted } = context
  if (settings.serveModel !== undefined) return await find(settings.serveModel, context)
  const uri = process.stdin.isTTY && !settings.json ? await chooseModel(interrupted) : undefined
  if (uri !== undefined) {
    try {
      return await find(uri, context)
    } catch (error) {
      interrupted.throwIfAborted()
      printNote(`potluck: ${messageOf(error)}`)
      printNote('Serving crumb instead.')
    }
  }
  return { path: crumb.Q8_0.path, name: settings.name ?? crumb.Q8_0.name }
}

async function find(model: string, { settings, env, interrupted }: CommandContext): Promise<FoundModel> {
  const { name, json } = settings
  const expected = expectedDigest(settings.sha256)
  if (/^(hf|huggingface|https?):/.test(model)) {
    const directory = dataDirectories(settings, env).models
    const path = await fetchModel(model, { directory, expected, json, signal: interrupted })
    return { path, name: name ?? nameOf(model) }
  }
  const embedded = model === 'crumb' ? crumb.Q8_0 : Object.values(crumb).find((each) => each.name === model)
  const path = embedded?.path ?? model
  const file = await stat(path).catch((cause: unknown) => {
    throw usageError(
      `cannot find the model file ${model}; give a GGUF file, a URL, hf:user/repo:QUANT, or crumb`,
      cause
    )
  })
  if (!file.isFile()) throw usageError(`${model} is not a file; give a GGUF file`)
  if (expected !== undefined) await checkFile(path, expected, { json, signal: interrupted })
  return { path, name: name ?? embedded?.name }
}

function expectedDigest(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const digest = parseDigest(text)
  if (digest === undefined) throw usageError(`--sha256 is "${text}"; expected 64 hexadecimal digits`)
  return formatDigest(digest)
}
