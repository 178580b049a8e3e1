/** Writes fraud proofs to files and checks them with `potluck audit`. */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import type { Proof } from '@potluck/client'

const POTLUCK = fileURLToPath(new URL('../../../node/bin/potluck.js', import.meta.url))

export interface ProofCheck {
  file: string
  answers: number
  /** Whether `potluck audit` confirmed the proof, in its own process and with only the file and the model. */
  confirmed: boolean
  /** What `potluck audit` printed, if it did not confirm the proof. */
  output: string
}

export async function writeAndCheck(proof: Proof, file: string, signal: AbortSignal): Promise<ProofCheck> {
  await writeFile(file, proof.bytes)
  const child = spawn(
    process.execPath,
    [POTLUCK, 'audit', file, '--gpu', 'off', '--threads', '1', '--log-level', 'error'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal
    }
  )
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const confirmed = code === 0
  return { file, answers: proof.answers, confirmed, output: confirmed ? '' : `${stdout}${stderr}`.trim() }
}
