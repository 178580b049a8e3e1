import { fork } from 'node:child_process'
import { getLlama } from 'node-llama-cpp'

/** The runtime of a GPU takes seconds to load. A driver that hangs must not delay the start longer than this. */
const PROBE_TIMEOUT_MS = 15_000

/**
 * Returns the free memory of the GPUs in bytes; 0 if the prebuilt binaries support none of them.
 *
 * The query runs in a child process (this same file), because a process that queries a GPU takes some of the GPU's
 * memory until it ends.
 */
export async function freeVideoMemory(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const child = fork(new URL(import.meta.url), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: PROBE_TIMEOUT_MS
  })
  child.on('message', (free) => resolve(Number(free)))
  child.on('close', () => resolve(0))
  child.on('error', () => resolve(0))
  return await promise
}

if (import.meta.main) {
  const llama = await getLlama({ gpu: 'auto', build: 'never', skipDownload: true })
  const free = llama.gpu === false ? 0 : (await llama.getVramState()).free
  process.send?.(free, () => process.exit())
}
