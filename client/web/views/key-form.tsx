import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

import { needsKey, setKey } from '../api/http.ts'

/** Asks for the key of the gateway, if it has one. */
export function KeyForm(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const isOpen = needsKey.value
  useEffect(() => {
    if (isOpen) dialog.current?.showModal()
    else dialog.current?.close()
  }, [isOpen])
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const key = form.get('key')
    if (typeof key !== 'string') return
    setKey(key)
    location.reload()
  }
  return (
    <dialog ref={dialog} class="key" aria-labelledby="key-heading">
      <form onSubmit={submit}>
        <h2 id="key-heading">This gateway needs a key</h2>
        <p>
          It is the value of POTLUCK_API_KEY on the machine of the gateway. The page keeps it until you close the tab.
        </p>
        <label>
          Key <input name="key" type="password" required autocomplete="current-password" />
        </label>
        <button type="submit" class="primary">
          Continue
        </button>
      </form>
    </dialog>
  )
}
