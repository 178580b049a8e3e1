/** A model from the network: downloaded beside, checked, and only then put where it is served from. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { formatDigest } from '@potluck/protocol'

import { downloadModel, findDownloaded } from '../../engine/llama/download.ts'
import { Failure } from '../failure.ts'
import { createProgress } from '../terminal/progress.ts'
import { bytes } from '../terminal/units.ts'
import { statedDigest } from './hub.ts'

export interface FetchOptions {
  directory: string
  /** `sha256:…` that the user asked for. */
  expected: string | undefined
  json: boolean
  signal: AbortSignal
}

/**
 * @returns the file's path
 * @throws Failure if it cannot be had, or is not what it should be
 */
export async function fetchModel(uri: string, { directory, expected, json, signal }: FetchOptions): Promise<string> {
  const place = join(directory, placeOf(uri))
  const known = await findDownloaded(uri, place)
  if (known !== undefined) {
    if (expected !== undefined) await checkFile(known, expected, { json, signal })
    return known
  }
  const incoming = join(place, 'incoming')
  const path = await download(uri, incoming, { json, signal })
  const wanted = expected ?? (await statedDigest(uri, signal))
  if (wanted !== undefined) {
    await checkFile(path, wanted, { json, signal }).catch(async (error: unknown) => {
      // Kept, it would be taken for a download that only has to be finished.
      if (!signal.aborted) await rm(path, { force: true })
      throw error
    })
  }
  await mkdir(place, { recursive: true })
  const final = join(place, basename(path))
  await rename(path, final)
  return final
}

/** URLs of different places may end in one file name; the hub's URIs give distinct ones. */
function placeOf(uri: string): string {
  return uri.startsWith('http') ? createHash('sha256').update(uri).digest('hex').slice(0, 16) : '.'
}

async function download(
  uri: string,
  directory: string,
  { json, signal }: Pick<FetchOptions, 'json' | 'signal'>
): Promise<string> {
  const progress = createProgress('download', { json })
  let path: string
  try {
    path = await downloadModel(uri, {
      directory,
      signal,
      onProgress: (done, total) => progress.update(total > 0 ? done / total : 0, `${bytes(done)} of ${bytes(total)}`)
    })
  } catch (cause) {
    signal.throwIfAborted()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(`cannot download ${uri}: ${reason}; what came is kept, and used when you try again`, { cause })
  } finally {
    progress.end()
  }
  if (/-\d{5}-of-\d{5}\.gguf$/i.test(path)) {
    throw new Failure(
      `${uri} is split into several files; join them with \`llama-gguf-split --merge\` and serve the one`
    )
  }
  return path
}

/**
 * @param expected `sha256:…`
 * @throws Failure if the file is another
 */
export async function checkFile(
  path: string,
  expected: string,
  { json, signal }: Pick<FetchOptions, 'json' | 'signal'>
): Promise<void> {
  const progress = createProgress('verify', { json })
  const { size } = await stat(path)
  const hash = createHash('sha256')
  let done = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    done += chunk.byteLength
    progress.update(done / size)
  }
  progress.end()
  const digest = formatDigest(hash.digest())
  if (digest !== expected) throw new Failure(`${path} has the digest ${digest}, not ${expected}; it is not served`)
}
