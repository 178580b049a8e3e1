import { totalmem } from 'node:os'
import { availableMemory } from 'node:process'

/**
 * Returns the bytes that models can take. On macOS Node counts only pages that nobody uses, not those that macOS would
 * free.
 */
export function freeMemory(): number {
  return process.platform === 'darwin' ? totalmem() : availableMemory()
}
