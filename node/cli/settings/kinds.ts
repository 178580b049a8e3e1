/** Types of settings: how each reads a flag or environment variable, and a value of the config file. */

export interface Kind<T> {
  /** Shown in the help: `--slots <number>`. Undefined for a switch. */
  placeholder?: string
  /** Whether the flag may be repeated; each time it adds one value, taken as it is. */
  many?: boolean
  /** @throws Error that says what was expected */
  parse: (text: string) => T
  /** As `parse`, for a TOML value. */
  accept: (value: unknown) => T
}

export const text = (placeholder: string): Kind<string> => ({
  placeholder,
  parse: (value) => nonEmpty(value),
  accept: (value) => (typeof value === 'string' ? nonEmpty(value) : refuse('a text'))
})

/** One variable of the environment holds several, separated by commas. */
export const list = (placeholder: string): Kind<readonly string[]> => ({
  placeholder,
  many: true,
  parse: (value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  accept: (value) =>
    Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : refuse('a list of texts')
})

export const choice = <T extends string>(...options: readonly T[]): Kind<T> => {
  const find = (value: unknown): T =>
    options.find((option) => option === value) ?? refuse(`one of ${options.join(', ')}`)
  return { placeholder: options.join('|'), parse: find, accept: find }
}

export const toggle: Kind<boolean> = {
  parse: (value) => ({ true: true, 1: true, false: false, 0: false })[value] ?? refuse('true or false'),
  accept: (value) => (typeof value === 'boolean' ? value : refuse('true or false'))
}

export const number = (least: number, most: number): Kind<number> => ({
  placeholder: 'number',
  parse: (value) => inRange(value.trim() === '' ? Number.NaN : Number(value), least, most),
  accept: (value) => inRange(typeof value === 'bigint' ? Number(value) : value, least, most)
})

export const integer = (least: number, most: number): Kind<number> => {
  const { placeholder, parse, accept } = number(least, most)
  const whole = (value: number): number => (Number.isInteger(value) ? value : refuse('a whole number'))
  return {
    placeholder: placeholder ?? '',
    parse: (value) => whole(parse(value)),
    accept: (value) => whole(accept(value))
  }
}

/** An unsigned integer of 64 bits; TOML holds them up to 2^63. */
export const seed: Kind<bigint> = {
  placeholder: 'number',
  parse: (value) => (/^\d+$/.test(value) ? bits64(BigInt(value)) : refuse('a whole number below 2^64')),
  accept: (value) =>
    typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
      ? bits64(BigInt(value))
      : refuse('a whole number below 2^64')
}

function bits64(value: bigint): bigint {
  return value >= 0n && value < 1n << 64n ? value : refuse('a whole number below 2^64')
}

function inRange(value: unknown, least: number, most: number): number {
  // Written so that NaN fails.
  return typeof value === 'number' && value >= least && value <= most
    ? value
    : refuse(`a number from ${least} to ${most}`)
}

function nonEmpty(value: string): string {
  return value === '' ? refuse('a text that is not empty') : value
}

function refuse(expected: string): never {
  throw new Error(`expected ${expected}`)
}
