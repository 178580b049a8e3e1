import { expect, test } from 'vitest'

import { describeLockfile } from '../../../scripts/check/lockfile.ts'

const HASH = `sha512-${'A'.repeat(86)}==`
const PACKAGES = {
  '': { name: 'potluck' },
  protocol: { version: '0.1.0' },
  'node_modules/@potluck/protocol': { resolved: 'protocol', link: true },
  'node_modules/good': { version: '1.0.0', integrity: HASH },
  'node_modules/bundled': { version: '1.0.0', inBundle: true },
  'node_modules/@native/darwin': { version: '1.2.3', optional: true },
  'node_modules/a/node_modules/weak': { version: '2.0.0', integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' },
  'node_modules/bound': { version: '3.0.0', integrity: HASH, resolved: 'https://registry.example/bound.tgz' }
}

test('names each package that has no hash, a weak hash or an address', () => {
  expect(describeLockfile(JSON.stringify({ packages: PACKAGES }), [])).toEqual([
    '@native/darwin@1.2.3 has no SHA-512 hash.',
    'weak@2.0.0 has no SHA-512 hash.',
    'bound@3.0.0 has the address of a registry.'
  ])
})

test('an exception is for one version, and only as long as it is needed', () => {
  const packages = { 'node_modules/@native/darwin': { version: '1.2.3' } }
  const json = JSON.stringify({ packages })
  expect(describeLockfile(json, ['@native/darwin@1.2.3'])).toEqual([])
  expect(describeLockfile(json, ['@native/darwin@1.2.2'])).toEqual([
    '@native/darwin@1.2.3 has no SHA-512 hash.',
    '@native/darwin@1.2.2 is in unhashed.json, but needs no exception.'
  ])
})
