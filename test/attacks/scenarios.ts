import { readdir } from 'node:fs/promises'

import type { Scenario } from './siege/assaults.ts'

const FOLDER = new URL('scenarios/', import.meta.url)

/** Returns every attack by its name. The name is the name of its file. */
export async function loadAttacks(): Promise<Map<string, Scenario>> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.ts')).sort()
  const attacks = new Map<string, Scenario>()
  for (const file of files) {
    attacks.set(file.slice(0, -'.ts'.length), (await import(new URL(file, FOLDER).href)) as Scenario)
  }
  return attacks
}
