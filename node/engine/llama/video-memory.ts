/**
 * Free memory of the GPUs, in bytes; 0 where there is none that the prebuilt binaries know.
 *
 * Asked in a process of its own, which this file also is: what looks at a GPU holds some of its memory until it ends.
 */
import { fork } from 'node:child_process'

import { getLlama } from 'node-llama-cpp'

/** Loading a GPU's runtime takes seconds; a driver that hangs must not hold up the start. */
const PROBE_TIMEOUT_MS = 15_000

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
