/**
 * Downloads model files with the library's downloader, which uses parallel connections and resumes downloads. The
 * daemon imports this file. So it loads the library only when it needs it: its modules take 25 MB.
 */
import { mkdir } from 'node:fs/promises'
import { raceSignal } from 'race-signal'

export interface DownloadOptions {
  directory: string
  onProgress: (downloadedBytes: number, totalBytes: number) => void
  signal: AbortSignal
}

/**
 * Downloads a model, unless the directory has it already. An interrupted download leaves a partial file there.
 *
 * @param uri `hf:user/repo:QUANT`, `hf:user/repo/file.gguf`, or a URL
 * @returns the file's path
 * @throws Error from the library or the network; the signal's reason after an abort
 */
export async function downloadModel(uri: string, { directory, onProgress, signal }: DownloadOptions): Promise<string> {
  await mkdir(directory, { recursive: true })
  const { resolveModelFile } = await import('node-llama-cpp')
  const downloading = resolveModelFile(uri, {
    directory,
    cli: false,
    deleteTempFileOnCancel: false,
    signal,
    onProgress: ({ downloadedSize, totalSize }) => onProgress(downloadedSize, totalSize)
  })
  // After an abort the library can still wait for a server that does not respond. Its later error does not matter.
  downloading.catch(() => undefined)
  return raceSignal(downloading, signal)
}

/**
 * Returns the path of a model that is in the directory already; undefined if there is none. It does not use the
 * network.
 */
export async function findDownloaded(uri: string, directory: string): Promise<string | undefined> {
  const { resolveModelFile } = await import('node-llama-cpp')
  try {
    return await resolveModelFile(uri, { directory, download: false, cli: false })
  } catch {
    // The library throws if the file does not exist.
    return undefined
  }
}
