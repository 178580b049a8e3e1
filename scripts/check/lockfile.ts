/**
 * Checks `package-lock.json`. npm verifies a package only if the lock file has its hash. npm installs the packages of
 * one platform only, so it does not notice that the hash of another platform's package is missing. An address in the
 * lock file would bind every installation to one registry.
 */
interface LockedPackage {
  version?: string
  resolved?: string
  integrity?: string
  /** A link to a workspace. Its `resolved` is a folder. */
  link?: boolean
  /** The package is inside the archive of another one. */
  inBundle?: boolean
}

interface LockfileProblem {
  /** The path of a package in the lock file. */
  path: string
  /** `NAME@VERSION`. */
  package: string
  kind: 'no-hash' | 'address'
}

/** The hash that npm computes today. The older SHA-1 can be forged. */
const HASH = /^sha512-[A-Za-z0-9+/]{86}==$/

export function findProblems(json: string): LockfileProblem[] {
  const { packages } = JSON.parse(json) as { packages: Readonly<Record<string, LockedPackage>> }
  return Object.entries(packages)
    .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
    .flatMap(([path, { version, resolved, integrity = '', inBundle }]): LockfileProblem[] => {
      const name = `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`
      return [
        ...(inBundle === true || HASH.test(integrity) ? [] : [{ path, package: name, kind: 'no-hash' } as const]),
        ...(resolved === undefined ? [] : [{ path, package: name, kind: 'address' } as const])
      ]
    })
}

/**
 * Returns one line for each problem.
 *
 * @param json the lock file
 * @param unhashed the packages that may lack a hash, as `NAME@VERSION`. Each of them must still lack one
 */
export function describeLockfile(json: string, unhashed: readonly string[]): string[] {
  const problems = findProblems(json)
  const lacking = new Set(problems.filter(({ kind }) => kind === 'no-hash').map((problem) => problem.package))
  return [
    ...[...lacking].filter((name) => !unhashed.includes(name)).map((name) => `${name} has no SHA-512 hash.`),
    ...unhashed
      .filter((name) => !lacking.has(name))
      .map((name) => `${name} is in unhashed.json, but needs no exception.`),
    ...problems
      .filter(({ kind }) => kind === 'address')
      .map((problem) => `${problem.package} has the address of a registry.`)
  ]
}
