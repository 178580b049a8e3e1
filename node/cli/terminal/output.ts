/** What goes to stdout and stderr. Results go to stdout, everything about them to stderr. */
import type { Told } from '../failure.ts'

/** One JSON object a line; bigints as text, since JSON numbers lose their digits. */
export function printJson(value: object): void {
  process.stdout.write(
    `${JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item))}\n`
  )
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** A remark about the result. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function printError({ code, message }: Told, json: boolean): void {
  if (json) printJson({ type: 'error', code, message })
  else printNote(`potluck: ${message}`)
}

/**
 * Writes a piece of an answer. A model can be made to write anything: what would steer the terminal
 * is left out there, and kept where a file or a program takes it.
 */
export function printAnswer(text: string): void {
  process.stdout.write(process.stdout.isTTY ? withoutControls(text) : text)
}

/** Writes a piece of what the model thinks before it answers: a remark, beside the result. */
export function printThought(text: string): void {
  process.stderr.write(process.stderr.isTTY ? withoutControls(text) : text)
}

/** Without control characters other than newline and tab. */
export function withoutControls(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, '')
}
