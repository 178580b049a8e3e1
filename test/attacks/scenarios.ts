import { readdir } from 'node:fs/promises'

import type { Attack } from './attack.ts'

const FOLDER = new URL('scenarios/', import.meta.url)

/** Returns every attack by its name. The name is the name of its file. */
export async function loadAttacks(): Promise<Map<string, Attack>> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.ts')).sort()
  const attacks = new Map<string, Attack>()
  for (const file of files) {
    const { attack } = (await import(new URL(file, FOLDER).href)) as { attack: Attack }
    attacks.set(file.slice(0, -'.ts'.length), attack)
  }
  return attacks
}
