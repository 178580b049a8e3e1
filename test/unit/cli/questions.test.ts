/** How the lines of a terminal or a pipe become questions. */
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { questionsOf } from '../../../node/cli/chat/questions.ts'

/** @returns the questions after each of these pieces of input arrived in a turn of its own */
async function read(isTerminal: boolean, ...pieces: string[]): Promise<{ questions: string[]; more: number }> {
  const input = new PassThrough()
  // As a terminal, readline edits the line and echoes it.
  const lines = createInterface({ input, terminal: isTerminal, ...(isTerminal ? { output: new PassThrough() } : {}) })
  let more = 0
  const questions = questionsOf({ lines, isTerminal, onMore: () => more++ })
  for (const piece of pieces) {
    input.write(piece)
    await nextTurn()
    await nextTurn()
  }
  input.end()
  const all: string[] = []
  for await (const question of questions) all.push(question)
  return { questions: all, more }
}

test('in a pipe, each line is a question', async () => {
  expect((await read(false, 'one\ntwo\n', 'three')).questions).toEqual(['one', 'two', 'three'])
})

test('on a terminal, a paste of several lines is one question', async () => {
  expect((await read(true, 'one\n', 'first\n\nsecond\n', 'last\n')).questions).toEqual([
    'one',
    'first\n\nsecond',
    'last'
  ])
})

test('the last line of a paste waits for Enter', async () => {
  expect((await read(true, 'first\nsecond', ' edited\n')).questions).toEqual(['first\nsecond edited'])
})

test.each([true, false])(
  'three quotes begin and end a question of several lines (terminal: %s)',
  async (isTerminal) => {
    const { questions, more } = await read(isTerminal, '"""Explain this:\n', '\n', '  a = 1\n', '"""\n', 'next\n')
    expect(questions).toEqual(['Explain this:\n\n  a = 1', 'next'])
    expect(more).toBe(3)
  }
)

test('three quotes can end in the same line', async () => {
  expect((await read(false, '"""one"""\n"""\ntwo\n"""\n')).questions).toEqual(['one', 'two'])
})
