/** Refuses options that do not exist. JavaScript would ignore them, and `max_tokens` would limit nothing. */
import { PotluckError } from '@potluck/protocol'

/** The names of all options of a call. The compiler complains if one is missing. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>

/**
 * @param call the function that takes the options
 * @throws PotluckError `invalid_request` that names the first unknown option, and the option that was probably meant
 */
export function checkOptions<T extends object>(given: T, known: OptionNames<T>, call: string): void {
  const names = Object.keys(known)
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown === undefined) return
  const meant = names.find((name) => plain(name) === plain(unknown))
  const hint = meant === undefined ? `${call} takes ${names.join(', ')}` : `use ${meant}`
  throw new PotluckError('invalid_request', `${call} has no option "${unknown}": ${hint}`)
}

/** `max_tokens`, `max-tokens` and `maxTokens` are the same word. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '')
}
