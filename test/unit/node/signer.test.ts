import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect, test } from 'vitest'

import { signerOf } from '../../../node/serve/signer.ts'

test.each(['Ed25519', 'secp256k1'] as const)(
  'the signature of an %s key is the one that libp2p makes',
  async (type) => {
    const key = await generateKeyPair(type)
    const message = new TextEncoder().encode('a window')
    const signer = signerOf(key)
    expect(signer.publicKey.equals(key.publicKey)).toBe(true)
    expect(await key.publicKey.verify(message, await signer.sign(message))).toBe(true)
    if (type === 'Ed25519')
      expect(Uint8Array.from(await signer.sign(message))).toEqual(Uint8Array.from(await key.sign(message)))
  }
)
