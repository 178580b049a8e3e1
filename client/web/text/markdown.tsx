/**
 * Markdown of an answer. The tokens of the parser become elements, so no text of a model is ever parsed as HTML: HTML
 * in an answer is shown as it is written. The page loads no URL of an answer. Only a click opens a link.
 */
import { lexer, type MarkedToken, type Token, type Tokens } from 'marked'
import type { ComponentChildren, JSX } from 'preact'

import { CodeBlock } from './code-block.tsx'
import { visible } from './visible.ts'

/**
 * Longer texts, and texts with longer lines, are shown as plain text. For the worst texts, such as 900 quotes inside
 * each other, the parser takes seconds beyond these limits.
 */
const MAX_LENGTH = 50_000
const MAX_LINE = 5_000
/** Quotes, lists and emphasis inside each other. Deeper ones would overflow the stack. */
const MAX_DEPTH = 40
/** Characters of a plain text that the page shows. The browser takes seconds to lay out more. */
const MAX_SHOWN = 200_000

const SAFE_LINK = /^(https?|mailto):/i
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' }

export function Markdown({ text }: { text: string }): JSX.Element {
  const shown = visible(text)
  const tokens = parse(shown)
  return tokens === undefined ? <Plain text={shown} /> : <>{elements(tokens, 0)}</>
}

function Plain({ text }: { text: string }): JSX.Element {
  return (
    <>
      <div class="plain">{text.slice(0, MAX_SHOWN)}</div>
      {text.length > MAX_SHOWN && (
        <p class="note">
          The answer has {text.length.toLocaleString('en')} characters. The page shows the first{' '}
          {MAX_SHOWN.toLocaleString('en')}. Copy the answer or export the conversation to read the rest.
        </p>
      )}
    </>
  )
}

/** Undefined for a text that is better shown as it is. */
function parse(text: string): Token[] | undefined {
  if (text.length > MAX_LENGTH || longestLine(text) > MAX_LINE) return undefined
  try {
    return lexer(text, { gfm: true, breaks: true })
  } catch (error) {
    // The parser recurses for nested quotes and lists.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function longestLine(text: string): number {
  let longest = 0
  for (let start = 0; start <= text.length;) {
    const end = text.indexOf('\n', start)
    longest = Math.max(longest, (end < 0 ? text.length : end) - start)
    start = end < 0 ? text.length + 1 : end + 1
  }
  return longest
}

function elements(tokens: readonly Token[], depth: number): ComponentChildren {
  return tokens.map((token) => element(token as MarkedToken, depth + 1))
}

function element(token: MarkedToken, depth: number): ComponentChildren {
  if (depth > MAX_DEPTH) return <div class="plain">{token.raw}</div>
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'heading': {
      // The page has its own headings of the levels 1 and 2.
      const Heading = `h${Math.min(token.depth + 2, 6)}` as 'h3'
      return <Heading>{elements(token.tokens, depth)}</Heading>
    }
    case 'paragraph':
      return <p>{elements(token.tokens, depth)}</p>
    case 'code':
      return <CodeBlock text={token.text} language={token.lang ?? ''} />
    case 'blockquote':
      return <blockquote>{elements(token.tokens, depth)}</blockquote>
    case 'list':
      return list(token, depth)
    case 'list_item':
      return <li class={token.task ? 'task' : undefined}>{elements(token.tokens, depth)}</li>
    case 'checkbox':
      return (
        <span role="img" aria-label={token.checked ? 'done' : 'open'}>
          {token.checked ? '☑ ' : '☐ '}
        </span>
      )
    case 'table':
      return table(token, depth)
    case 'hr':
      return <hr />
    case 'html':
      return token.block === true ? <div class="plain">{token.raw.trimEnd()}</div> : token.raw
    case 'strong':
      return <strong>{elements(token.tokens, depth)}</strong>
    case 'em':
      return <em>{elements(token.tokens, depth)}</em>
    case 'del':
      return <del>{elements(token.tokens, depth)}</del>
    case 'codespan':
      return <code>{token.text}</code>
    case 'br':
      return <br />
    case 'link':
      return link(token.href, elements(token.tokens, depth))
    case 'image':
      // Loading the picture would tell its server who reads the answer.
      return link(token.href, `Picture: ${token.text || token.href}`)
    case 'escape':
      return token.text
    case 'text':
      return token.tokens === undefined ? unescaped(token.text) : elements(token.tokens, depth)
  }
}

function list({ ordered, start, items }: Tokens.List, depth: number): JSX.Element {
  const children = elements(items, depth)
  return ordered ? <ol start={typeof start === 'number' ? start : 1}>{children}</ol> : <ul>{children}</ul>
}

function table({ header, rows }: Tokens.Table, depth: number): JSX.Element {
  const cell = (Cell: 'th' | 'td') => (one: Tokens.TableCell) => (
    <Cell data-align={one.align ?? undefined}>{elements(one.tokens, depth)}</Cell>
  )
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>{header.map(cell('th'))}</tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>{row.map(cell('td'))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function link(href: string, children: ComponentChildren): ComponentChildren {
  if (!SAFE_LINK.test(href)) return children
  return (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  )
}

/** Replaces the common entities. The parser leaves them for a browser that reads HTML. */
function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,6})|([a-z]{2,4}));/g, (whole: string, code: string | undefined, name = '') => {
    if (code === undefined) return ENTITIES[name as string] ?? whole
    return Number(code) > 0x10_ffff ? whole : visible(String.fromCodePoint(Number(code)))
  })
}
