/** References within one schema document. */

/** The schema that a `$ref` like `#/$defs/node` means (RFC 6901); undefined where there is none. */
export function resolvePointer(root: unknown, reference: unknown): unknown {
  if (typeof reference !== 'string' || !/^#(?:\/|$)/.test(reference)) return undefined
  let target = root
  for (const part of reference
    .slice(2)
    .split('/')
    .slice(reference === '#' ? 1 : 0)) {
    const name = decode(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, name)) return undefined
    target = (target as Record<string, unknown>)[name]
  }
  return target
}

/** A name as it stands in a pointer. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
