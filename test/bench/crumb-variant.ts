/**
 * crumb's weights with a longer context, for the prompts of agents, or with another chat template. Its answers are
 * nonsense then, because crumb was trained for 1,024 tokens and its own template. But requests go through a real model.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { crumb } from '../../node/models/crumb.ts'

/** GGUF writes a key, the number of the value's type, and the value. Here uint32 and string. */
const CONTEXT_LENGTH = Buffer.from('llama.context_length\u0004\0\0\0', 'latin1')
const TEMPLATE = Buffer.from('tokenizer.chat_template\u0008\0\0\0', 'latin1')
/** The tensors begin at a multiple of this, so the header must grow by a multiple. */
const ALIGNMENT = 32

export interface CrumbVariant extends AsyncDisposable {
  path: string
}

/** Writes the model to a temporary folder, which is deleted with the returned object. */
export async function crumbVariant({
  contextLength,
  template
}: {
  contextLength?: number
  template?: string
}): Promise<CrumbVariant> {
  let bytes: Buffer = await readFile(crumb.Q8_0.path)
  if (contextLength !== undefined) bytes.writeUInt32LE(contextLength, endOf(CONTEXT_LENGTH, bytes))
  if (template !== undefined) bytes = withTemplate(bytes, template)
  const folder = await mkdtemp(join(tmpdir(), 'potluck-crumb-'))
  const path = join(folder, 'crumb-variant.gguf')
  await writeFile(path, bytes)
  return { path, [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }) }
}

function withTemplate(bytes: Buffer, template: string): Buffer {
  const at = endOf(TEMPLATE, bytes)
  const old = Number(bytes.readBigUInt64LE(at))
  const text = Buffer.from(template)
  const missing = (ALIGNMENT - ((text.length - old) % ALIGNMENT)) % ALIGNMENT
  // A comment of this length adds nothing to a prompt.
  const padded = Buffer.concat([text, Buffer.from(`{#${' '.repeat(missing + ALIGNMENT - 4)}#}`)])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([bytes.subarray(0, at), length, padded, bytes.subarray(at + 8 + old)])
}

function endOf(key: Buffer, bytes: Buffer): number {
  const at = bytes.indexOf(key)
  if (at < 0) throw new Error(`crumb-Q8_0.gguf has no ${key.toString()}`)
  return at + key.length
}
