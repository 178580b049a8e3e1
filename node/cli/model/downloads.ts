/** The downloaded models: their files, and a list of their names, because a file's name does not show it. */
import { readFile, rm, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

import { modelName } from '@potluck/protocol'

import { writeDurably } from '../../data/data-folder.ts'

export interface Download {
  /** `user/repo:QUANT`, or the URL. */
  name: string
  path: string
  sizeBytes: number
}

/** Path of a model's file by its name, relative to the directory. */
type Names = Record<string, string>

/** Adds a model to the list. */
export async function rememberDownload(directory: string, uri: string, path: string): Promise<void> {
  const names = await readNames(directory)
  await writeNames(directory, { ...names, [modelName(uri)]: relative(directory, path) })
}

/** The models whose files exist, by name. */
export async function listDownloads(directory: string): Promise<Download[]> {
  const names = Object.entries(await readNames(directory))
  const downloads = await Promise.all(
    names.map(async ([name, file]): Promise<Download[]> => {
      const path = join(directory, file)
      const found = await stat(path).catch(() => undefined)
      return found === undefined ? [] : [{ name, path, sizeBytes: found.size }]
    })
  )
  return downloads.flat().sort((a, b) => a.name.localeCompare(b.name))
}

/** Deletes a model's file. Returns undefined if the list does not have the model. */
export async function removeDownload(directory: string, model: string): Promise<Download | undefined> {
  const wanted = modelName(model).toLowerCase()
  const download = (await listDownloads(directory)).find(({ name }) => name.toLowerCase() === wanted)
  if (download === undefined) return undefined
  await rm(download.path)
  const { [download.name]: _, ...rest } = await readNames(directory)
  await writeNames(directory, rest)
  return download
}

async function readNames(directory: string): Promise<Names> {
  const text = await readFile(join(directory, LIST), 'utf8').catch(() => '{}')
  try {
    return JSON.parse(text) as Names
  } catch {
    // The files stay usable. Each is in the list again when `serve` or `pull` finds it.
    return {}
  }
}

async function writeNames(directory: string, names: Names): Promise<void> {
  await writeDurably(join(directory, LIST), Buffer.from(JSON.stringify(names, undefined, 2)))
}

const LIST = 'models.json'
