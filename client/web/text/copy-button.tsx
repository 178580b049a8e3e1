import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'

/** How long the button confirms what it did, in milliseconds. */
const CONFIRMED_MS = 1500

export function CopyButton({ text, label }: { text: string; label: string }): JSX.Element {
  const outcome = useSignal<string | undefined>(undefined)
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      outcome.value = 'Copied'
    } catch {
      outcome.value = 'The browser refused'
    }
    setTimeout(() => (outcome.value = undefined), CONFIRMED_MS)
  }
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      {outcome.value ?? label}
    </button>
  )
}
