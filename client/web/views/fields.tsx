import type { JSX } from 'preact'

import type { KeptAnswer } from '../api/potluck.ts'
import { visible } from '../text/visible.ts'

type Fields = KeptAnswer['peers'][number]['receipt']

/** The fields of a receipt. A field inside another one has the names of both: `usage.promptTokens`. */
export function FieldList({ fields }: { fields: Fields }): JSX.Element {
  return (
    <dl class="fields">
      {flat(fields, '').map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{visible(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

function flat(fields: Fields, prefix: string): [name: string, value: string][] {
  return Object.entries(fields).flatMap(([name, value]): [string, string][] => {
    if (Array.isArray(value)) return [[prefix + name, value.map(String).join(' ')]]
    if (typeof value === 'object') return flat(value, `${prefix}${name}.`)
    return [[prefix + name, shown(name, value)]]
  })
}

function shown(name: string, value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value)
  return name.endsWith('At') ? new Date(value).toISOString() : String(Math.round(value * 1000) / 1000)
}
