/** Name and version of this software, for identify and the card. */
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string }

export const AGENT: string = `potluck/${version}`
