import type { JSX } from 'preact'

import { CopyButton } from '../text/copy-button.tsx'

/** What a user can do next, as commands for a terminal. */
export function Commands({ entries }: { entries: readonly { what: string; command: string }[] }): JSX.Element {
  return (
    <dl class="commands">
      {entries.map(({ what, command }) => (
        <div key={command}>
          <dt>{what}</dt>
          <dd>
            <code>{command}</code>
            <CopyButton text={command} label="Copy" />
          </dd>
        </div>
      ))}
    </dl>
  )
}
