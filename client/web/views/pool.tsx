import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'

import { RequestError } from '../api/http.ts'
import { getInvite, type PoolInvite } from '../api/potluck.ts'
import { CopyButton } from '../text/copy-button.tsx'
import { visible } from '../text/visible.ts'

/** Light modules around a QR code. Without them, a camera does not find its edge. */
const QUIET_ZONE = 4

/**
 * The pool of the own node, and an invite to it. The page asks for the invite only when it is to be shown: it has the
 * key.
 */
export function PoolSection({ pool }: { pool: string }): JSX.Element {
  const invite = useSignal<PoolInvite | undefined>(undefined)
  const note = useSignal<string | undefined>(undefined)
  const show = async (): Promise<void> => {
    try {
      invite.value = await getInvite()
      note.value = undefined
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      note.value = error.message
    }
  }
  return (
    <section aria-labelledby="pool-heading">
      <header class="heading">
        <h2 id="pool-heading">Pool {visible(pool)}</h2>
        <button
          type="button"
          class="switch"
          aria-expanded={invite.value !== undefined}
          onClick={() => (invite.value === undefined ? void show() : (invite.value = undefined))}
        >
          {invite.value === undefined ? 'Show invite' : 'Hide invite'}
        </button>
      </header>
      <p class="note">Only members of the pool can connect to this node.</p>
      {note.value !== undefined && (
        <p class="trouble" role="alert">
          {note}
        </p>
      )}
      {invite.value !== undefined && <Invite invite={invite.value} />}
    </section>
  )
}

function Invite({ invite: { invite, qr } }: { invite: PoolInvite }): JSX.Element {
  const command = `npx potluck pool join '${invite}'`
  return (
    <>
      <p class="note">Give it only to people whom you trust: it contains the key of the pool.</p>
      <QrCode rows={qr} />
      <p class="invite">
        <code>{visible(command)}</code>
        <CopyButton text={command} label="Copy" />
      </p>
    </>
  )
}

function QrCode({ rows }: { rows: readonly string[] }): JSX.Element {
  const size = rows.length + 2 * QUIET_ZONE
  const dark = rows.flatMap((row, y) =>
    row.split('').flatMap((module, x) => (module === '1' ? `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z` : []))
  )
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="The invite as a QR code">
      <path class="light" d={`M0 0h${size}v${size}h-${size}z`} />
      <path class="dark" d={dark.join('')} />
    </svg>
  )
}
