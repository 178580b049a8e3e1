/** Comments that are wider than the code may be. The formatter breaks code, but leaves comments as they are. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `printWidth` of the formatter. */
const WIDTH = 120
const FOLDERS = '{client,node,protocol,scripts,test}/**/*.{ts,tsx}'
const GENERATED = /_pb\.ts$/
/** A link cannot be broken. */
const LINK = /https?:\/\/\S+$/

/** Returns a line for each wide comment of the source files and the tests. */
export function describeWideComments(root: string): string[] {
  return globSync(FOLDERS, { cwd: root, exclude: ['**/node_modules', '**/dist'] })
    .filter((file) => !GENERATED.test(file))
    .toSorted()
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          line.length > WIDTH && /^\s*(\/\/|\/\*|\*)/.test(line) && !LINK.test(line)
            ? [`${file}:${index + 1}: the comment has ${line.length} columns; break it at ${WIDTH}`]
            : []
        )
    )
}
