/** References within one schema document: JSON pointers (RFC 6901). */

/** Returns the schema that a `$ref` such as `#/$defs/node` points to; undefined if there is none. */
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

/** Escapes a name for use in a pointer. */
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
