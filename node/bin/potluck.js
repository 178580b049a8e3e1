#!/usr/bin/env node
// This file is plain JavaScript, so that an old Node can run it and report its version before it loads anything else.
import { existsSync } from 'node:fs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `potluck needs Node 22.18 or newer, and this is Node ${process.versions.node}; install a newer one from https://nodejs.org\n`
  )
  process.exit(1)
}

// A published package has compiled files. The repository has only the TypeScript source.
const compiled = new URL('../cli/main.js', import.meta.url)
await import(existsSync(compiled) ? compiled.href : '../cli/main.ts')
