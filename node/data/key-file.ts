/**
 * The file with the peer's identity key. It is separate from the datastore, because the key is the only data of a node
 * that no other peer can send again. Every start with a new key would cost the node its reputation. So a damaged file
 * ends the start, and never gives a new key.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

import { generateKeyPairFromSeed, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'

import { describeDisk, restrictToOwner, writeDurably } from './data-folder.ts'

const KEY_FILE = 'identity.key'
/** An Ed25519 key in libp2p's format has 68 bytes. The node reads no more of another file. */
const MAX_KEY_BYTES = 1024
/** The secret half of an Ed25519 key. */
const SEED_BYTES = 32

/**
 * Returns the key, or undefined if there is no file.
 *
 * @throws Error in one line, if the file cannot be read, is damaged, or is another file
 */
export async function readKey(directory: string): Promise<PrivateKey | undefined> {
  const path = join(directory, KEY_FILE)
  let bytes: Uint8Array
  try {
    bytes = await readStart(path)
    await restrictToOwner(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot read the identity key in ${path}: ${reason}`, { cause })
  }
  const key = await parse(bytes)
  if (key !== undefined) return key
  throw new Error(
    `cannot use the identity key in ${path}: the file is damaged or is not a key; restore it from a backup, or delete it to start with a new identity`
  )
}

/** @throws Error in one line, if the disk cannot be written */
export async function writeKey(directory: string, key: PrivateKey): Promise<void> {
  try {
    await writeDurably(join(directory, KEY_FILE), privateKeyToProtobuf(key))
  } catch (cause) {
    throw new Error(describeDisk(directory, cause), { cause })
  }
}

async function readStart(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_KEY_BYTES))
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Returns undefined unless every byte is right. The public half shows whether a byte of the secret half changed. */
async function parse(bytes: Uint8Array): Promise<PrivateKey | undefined> {
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type !== 'Ed25519') return undefined
    const expected = await generateKeyPairFromSeed('Ed25519', key.raw.subarray(0, SEED_BYTES))
    const same = key.equals(expected) && Buffer.compare(privateKeyToProtobuf(expected), bytes) === 0
    return same ? key : undefined
  } catch {
    return undefined
  }
}
