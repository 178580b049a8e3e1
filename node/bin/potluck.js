#!/usr/bin/env node
// Plain JavaScript that an old Node can still read, to say what it lacks before anything else is loaded.
import { existsSync } from 'node:fs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `potluck needs Node 22.18 or newer, this is ${process.versions.node}: install one from https://nodejs.org\n`
  )
  process.exit(1)
}

// Compiled where it was published, from its source in the repository.
const compiled = new URL('../cli/main.js', import.meta.url)
await import(existsSync(compiled) ? compiled.href : '../cli/main.ts')
