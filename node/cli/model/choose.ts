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
/** More would have to be scrolled through. */
const MOST_OFFERED = 5

/** @returns the URI of the chosen model, or undefined for crumb */
export async function chooseModel(signal: AbortSignal): Promise<string | undefined> {
  const video = await freeVideoMemory()
  const memory = video > 0 ? video : freemem() * SHARE_OF_MEMORY
  const offered = fitting(memory).slice(0, MOST_OFFERED)
  printNote(
    `Models that fit ${bytes(memory)} of free ${video > 0 ? 'GPU memory' : 'memory'} (sizes as the hub shows them):`
  )
  for (const [index, { uri, licence, approximateBytes }] of offered.entries()) {
    printNote(`  ${index + 1}  ${uri.slice('hf:'.length).padEnd(52)}${bytes(approximateBytes).padStart(8)}  ${licence}`)
  }
  printNote(`  0  ${'crumb, which is here already and knows little'.padEnd(52)}${bytes(crumb.Q8_0.bytes).padStart(8)}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // In its raw mode the terminal sends no signal at Ctrl-C. An input that ends has chosen nothing.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const ended = new Promise<string>((resolve) => terminal.on('close', () => resolve('')))
  try {
    for (;;) {
      const choice = (await Promise.race([terminal.question('Which one? [0] ', { signal }), ended])).trim()
      if (choice === '' || choice === '0') return undefined
      const entry = offered[Number(choice) - 1]
      if (entry !== undefined) return entry.uri
      printNote(`a number from 0 to ${offered.length}, please`)
    }
  } finally {
    terminal.close()
  }
}
