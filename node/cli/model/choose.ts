/** Offers models to download, if the user gave no `--model` and the command runs on a terminal. */
import { freemem } from 'node:os'
import { createInterface } from 'node:readline/promises'

import { freeVideoMemory } from '../../engine/llama/video-memory.ts'
import { fitting } from '../../models/catalogue.ts'
import { crumb } from '../../models/crumb.ts'
import { printNote } from '../terminal/output.ts'
import { bytes } from '../terminal/units.ts'

/** Share of the free memory that a model may take. The rest is for the machine's other programs. */
const SHARE_OF_MEMORY = 0.7
/**
 * Largest model for a processor, in bytes. A processor reads about 20 to 40 GB of weights per second, and reads all
 * weights for each token. So a model of 4 GB generates 5 to 10 tokens per second, about as fast as people read.
 */
const MAX_BYTES_ON_PROCESSOR = 4e9
/** Number of offered models. A longer list does not fit on a small terminal. */
const MAX_OFFERED = 5

/** @returns the URI of the model, or undefined for crumb */
export async function chooseModel(signal: AbortSignal): Promise<string | undefined> {
  const video = await freeVideoMemory()
  const memory = video > 0 ? video : Math.min(freemem() * SHARE_OF_MEMORY, MAX_BYTES_ON_PROCESSOR)
  const offered = fitting(memory).slice(0, MAX_OFFERED)
  const where = video > 0 ? `the GPU's ${bytes(memory)} of free memory` : "this machine's processor and memory"
  printNote(`Models that fit ${where} (sizes are estimates):`)
  for (const [index, { uri, licence, approximateBytes }] of offered.entries()) {
    printNote(`  ${index + 1}  ${uri.slice('hf:'.length).padEnd(52)}${bytes(approximateBytes).padStart(8)}  ${licence}`)
  }
  printNote(`  0  ${'crumb: a tiny model, needs no download'.padEnd(52)}${bytes(crumb.Q8_0.bytes).padStart(8)}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // In raw mode the terminal sends no signal at Ctrl-C.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const fallback = offered.length > 0 ? '1' : '0'
  // If the input ends, the command serves crumb.
  const ended = new Promise<string>((resolve) => terminal.on('close', () => resolve('0')))
  try {
    for (;;) {
      const choice = (await Promise.race([terminal.question(`Which model? [${fallback}] `, { signal }), ended])).trim()
      const entry = offered[Number(choice || fallback) - 1]
      if (choice === '0' || offered.length === 0) return undefined
      if (entry !== undefined) return entry.uri
      printNote(`Enter a number from 0 to ${offered.length}.`)
    }
  } finally {
    terminal.close()
  }
}
