import { setTimeout } from 'node:timers/promises'

/** Resolves when the condition is true. Checks it every millisecond. */
export async function until(condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await condition())) await setTimeout(1, undefined, { signal })
}
