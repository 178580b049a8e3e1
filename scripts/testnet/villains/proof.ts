/** Fraud proofs, as files that anybody can check. */
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
  /** What `potluck audit` says, in a process that has nothing but the file and the model. */
  confirmed: boolean
  /** Its own lines where it did not confirm. */
  said: string
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
  const [said, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const confirmed = code === 0
  return { file, answers: proof.answers, confirmed, said: confirmed ? '' : `${said}${complaints}`.trim() }
}
