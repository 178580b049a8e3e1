import type { JSX } from 'preact'

import { CopyButton } from './copy-button.tsx'

/** Code of an answer, with its language and a button that copies it. */
export function CodeBlock({ text, language }: { text: string; language: string }): JSX.Element {
  return (
    <figure class="code">
      <figcaption>
        <span>{language.slice(0, 24)}</span>
        <CopyButton text={text} label="Copy code" />
      </figcaption>
      <pre tabIndex={0} role="region" aria-label={language === '' ? 'Code' : `Code, ${language.slice(0, 24)}`}>
        <code>{text}</code>
      </pre>
    </figure>
  )
}
