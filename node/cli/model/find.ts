/** The model file that `serve` shall offer: given, chosen, or crumb. */
import { stat } from 'node:fs/promises'

import { formatDigest, parseDigest } from '@potluck/protocol'

import { crumb } from '../../models/crumb.ts'
import { dataDirectories } from '../data-directory.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import type { CommandContext } from '../program.ts'
import { printNote } from '../terminal/output.ts'
import { chooseModel } from './choose.ts'
import { checkFile, fetchModel } from './fetch.ts'
import { nameOf } from './hub.ts'

export interface FoundModel {
  path: string
  /** `user/repo:QUANT`, where it is known; else the engine takes the file's name. */
  name: string | undefined
}

/** @throws Failure where it cannot be had, or is not what it should be */
export async function findModel(context: CommandContext): Promise<FoundModel> {
  const { settings, interrupted } = context
  if (settings.serveModel !== undefined) return await find(settings.serveModel, context)
  const uri = process.stdin.isTTY && !settings.json ? await chooseModel(interrupted) : undefined
  if (uri !== undefined) {
    try {
      return await find(uri, context)
    } catch (error) {
      interrupted.throwIfAborted()
      printNote(`${error instanceof Error ? error.message : String(error)}; serving crumb`)
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
    throw new Failure(`there is no model file ${model}; give a GGUF file, a URL, hf:user/repo:QUANT, or crumb`, {
      exitCode: EXIT_USAGE,
      cause
    })
  })
  if (!file.isFile()) throw new Failure(`${model} is no file; give a GGUF file`, { exitCode: EXIT_USAGE })
  if (expected !== undefined) await checkFile(path, expected, { json, signal: interrupted })
  return { path, name: name ?? embedded?.name }
}

function expectedDigest(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const digest = parseDigest(text)
  if (digest === undefined) {
    throw new Failure(`--sha256 is "${text}"; expected 64 hexadecimal digits`, { exitCode: EXIT_USAGE })
  }
  return formatDigest(digest)
}
