/** What `serve` offers to download where no model is named, for a person at a terminal. */
import { freemem } from 'node:os'
import { createInterface } from 'node:readline/promises'

import { freeVideoMemory } from '../../engine/llama/video-memory.ts'
import { crumb } from '../../models/crumb.ts'
import { fitting } from '../../models/catalogue.ts'
import { printNote } from '../terminal/output.ts'
import { bytes } from '../terminal/units.ts'

/** Of the free memory: the machine has other things to do. */
const SHARE_OF_MEMORY = 0.7
/** A processor reads some 20 to 40 GB of weights a second: beyond this, answers come slower than people read. */
const MOST_ON_PROCESSOR = 4e9
/** More would have to be scrolled through. */
const MOST_OFFERED = 5

/** @returns the URI of the chosen model, or undefined for crumb */
export async function chooseModel(signal: AbortSignal): Promise<string | undefined> {
  const video = await freeVideoMemory()
  const memory = video > 0 ? video : Math.min(freemem() * SHARE_OF_MEMORY, MOST_ON_PROCESSOR)
  const offered = fitting(memory).slice(0, MOST_OFFERED)
  const where = video > 0 ? `the GPU's ${bytes(memory)} of free memory` : "this machine's processor and memory"
  printNote(`Models that fit ${where} (sizes are estimates):`)
  for (const [index, { uri, licence, approximateBytes }] of offered.entries()) {
    printNote(`  ${index + 1}  ${uri.slice('hf:'.length).padEnd(52)}${bytes(approximateBytes).padStart(8)}  ${licence}`)
  }
  printNote(`  0  ${'crumb, which is here already and knows little'.padEnd(52)}${bytes(crumb.Q8_0.bytes).padStart(8)}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // In its raw mode the terminal sends no signal at Ctrl-C. An input that ends has chosen nothing.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const fallback = offered.length > 0 ? '1' : '0'
  const ended = new Promise<string>((resolve) => terminal.on('close', () => resolve('0')))
  try {
    for (;;) {
      const choice = (await Promise.race([terminal.question(`Which one? [${fallback}] `, { signal }), ended])).trim()
      const entry = offered[Number(choice || fallback) - 1]
      if (choice === '0' || offered.length === 0) return undefined
      if (entry !== undefined) return entry.uri
      printNote(`a number from 0 to ${offered.length}, please`)
    }
  } finally {
    terminal.close()
  }
}
