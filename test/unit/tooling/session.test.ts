import { expect, test } from 'vitest'

import { renderTerminal } from '../../../scripts/session/terminal.ts'

test.each([
  ['plain lines', 'one\r\ntwo\r\n', 'one\ntwo'],
  ['a bar that is overwritten and removed', '\r█░ 50 %\u001b[K\r██ 100 %\u001b[K\r\u001b[Kdone', 'done'],
  ['the prompt of readline', '\u001b[1G\u001b[0J>>> \u001b[5GHello\r\n', '>>> Hello'],
  ['colours', '\u001b[2mdim\u001b[22m', 'dim'],
  ['a line that is drawn again', 'one\r\ntwo\u001b[1A\rONE', 'ONE\ntwo']
])('shows %s', (_, output, shown) => {
  expect(renderTerminal(output)).toBe(shown)
})
