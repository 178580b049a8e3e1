/** Prose for the measurements. Nothing of it is in the code that invents probes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const PACKAGES = new URL('../../../node_modules/', import.meta.url)
/** Shorter sentences are labels, longer ones are lists. Characters. */
const SENTENCE = { least: 20, most: 300 }

/** Returns the README files of the installed packages. */
export function packageReadmes(): URL[] {
  return readdirSync(PACKAGES)
    .toSorted()
    .map((name) => new URL(`${name}/README.md`, PACKAGES))
    .filter((file) => existsSync(file))
}

/** Returns the sentences of Markdown files, without code, tables and lists. */
export function readSentences(files: readonly URL[]): string[] {
  return files
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .replaceAll(/```[^]*?```/g, '')
        .split(/\n\s*\n/)
    )
    .filter((block) => /^[A-Z]/.test(block))
    .flatMap((block) => block.replaceAll(/\s+/g, ' ').split(/(?<=[.!?]) /))
    .filter(({ length }) => length >= SENTENCE.least && length <= SENTENCE.most)
}
