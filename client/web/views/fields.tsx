import type { JSX } from 'preact'

import type { KeptAnswer } from '../api/potluck.ts'
import { visible } from '../text/visible.ts'

type Value = KeptAnswer['peers'][number]['receipt'][string]

/** The fields of a receipt by their names, also nested ones. */
export function Fields({ fields }: { fields: Record<string, Value> }): JSX.Element {
  return (
    <dl class="fields">
      {Object.entries(fields).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{shown(value)}</dd>
        </div>
      ))}
    </dl>
  )
}

function shown(value: Value): JSX.Element | string {
  if (Array.isArray(value)) return visible(JSON.stringify(value))
  return typeof value === 'object' ? <Fields fields={value} /> : visible(String(value))
}
