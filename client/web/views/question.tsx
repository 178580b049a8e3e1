import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'

import { retry } from '../state/chat.ts'
import type { Question } from '../state/conversations.ts'
import { plural } from '../text/format.ts'
import { visible } from '../text/visible.ts'

export function QuestionView({ question }: { question: Question }): JSX.Element {
  const { id, text, attachments } = question
  const edited = useSignal<string | undefined>(undefined)
  const submit = (event: Event): void => {
    event.preventDefault()
    const next = edited.value?.trim() ?? ''
    edited.value = undefined
    if (next !== '' || attachments.length > 0) retry(id, next)
  }
  if (edited.value !== undefined) {
    return (
      <form class="question editing" onSubmit={submit}>
        <textarea
          aria-label="Edit the message"
          ref={(element) => element?.focus()}
          value={edited.value}
          onInput={({ currentTarget }) => (edited.value = currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') edited.value = undefined
          }}
        />
        <div class="row">
          <span class="hint">The messages after this one are replaced</span>
          <button type="button" class="quiet" onClick={() => (edited.value = undefined)}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Ask again
          </button>
        </div>
      </form>
    )
  }
  return (
    <article class="question" aria-label="You">
      {attachments.length > 0 && (
        <ul class="attachments">
          {attachments.map((one) => (
            <li key={one.name}>
              {visible(one.name)} <span class="faint">{plural(one.text.length, 'character')}</span>
            </li>
          ))}
        </ul>
      )}
      {text !== '' && <div class="plain">{visible(text)}</div>}
      <div class="actions">
        <button type="button" class="quiet" onClick={() => (edited.value = text)}>
          Edit
        </button>
      </div>
    </article>
  )
}
