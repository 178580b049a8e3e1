/**
 * What a terminal shows after a program wrote this output. Knows only what `potluck` and npm write: no scrolling
 * regions.
 */

/** The control sequences: `ESC [`, parameters, and a letter. */
// eslint-disable-next-line no-control-regex
const CONTROL = /\u001b\[([0-9;?]*)([A-Za-z])/y

export function renderTerminal(output: string): string {
  const rows: string[] = ['']
  let column = 0
  let row = 0
  const write = (character: string): void => {
    const line = (rows[row] ?? '').padEnd(column)
    rows[row] = line.slice(0, column) + character + line.slice(column + 1)
    column++
  }
  for (let index = 0; index < output.length; index++) {
    const character = output[index]!
    CONTROL.lastIndex = index
    const control = CONTROL.exec(output)
    if (control !== null) {
      index += control[0].length - 1
      const [, parameter = '', letter] = control
      const number = Number(parameter) || 1
      if (letter === 'G') column = number - 1
      else if (letter === 'A') row = Math.max(0, row - number)
      else if (letter === 'K' || letter === 'J') rows[row] = (rows[row] ?? '').slice(0, column)
    } else if (character === '\r') column = 0
    else if (character === '\n') rows[++row] ??= ''
    else if (character >= ' ') write(character)
  }
  return rows
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd()
}
