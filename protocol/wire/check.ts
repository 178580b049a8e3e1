/** Checks of decoded fields. An error names the field and never contains its value. */
import { PotluckError, type ErrorCode } from '../errors.ts'

/** Checks the fields of one message. All failures have the same code: it says which side sent the message. */
export class FieldCheck {
  readonly #code: ErrorCode
  readonly #message: string

  constructor(code: ErrorCode, message: string) {
    this.#code = code
    this.#message = message
  }

  fail(field: string, rule: string): never {
    throw new PotluckError(this.#code, `${this.#message}: ${field} ${rule}`)
  }

  /** Fails for a missing message field, which decodes as undefined. */
  present<T>(field: string, value: T | undefined): T {
    return value ?? this.fail(field, 'is missing')
  }

  bytes(field: string, value: Uint8Array, length: number): Uint8Array {
    return value.byteLength === length ? value : this.fail(field, `must have ${length} bytes`)
  }

  bytesUpTo(field: string, value: Uint8Array, most: number): Uint8Array {
    return value.byteLength <= most ? value : this.fail(field, `must have at most ${most} bytes`)
  }

  text(field: string, value: string, most: number): string {
    return value.length <= most ? value : this.fail(field, `must have at most ${most} characters`)
  }

  /** A short printable string. A peer's text must not control a terminal or split a log line. */
  label(field: string, value: string, most: number): string {
    this.text(field, value, most)
    return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value) ? this.fail(field, 'must not contain control characters') : value
  }

  number(field: string, value: number, least: number, most: number): number {
    // These comparisons also refuse NaN.
    return value >= least && value <= most ? value : this.fail(field, `must be between ${least} and ${most}`)
  }

  integer(field: string, value: bigint, most: number): number {
    return value <= BigInt(most) ? Number(value) : this.fail(field, `must be at most ${most}`)
  }

  count(field: string, list: { length: number }, most: number): void {
    if (list.length > most) this.fail(field, `must have at most ${most} entries`)
  }

  tokens(field: string, ids: readonly number[], most: number, exclusiveMost: number): readonly number[] {
    this.count(field, ids, most)
    for (const id of ids) if (id >= exclusiveMost) this.fail(field, `must have ids below ${exclusiveMost}`)
    return ids
  }
}
