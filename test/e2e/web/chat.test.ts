/** The chat of the page in Chromium. */
import { readFileSync } from 'node:fs'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { buildPage } from '../../../scripts/page.ts'
import { hasBrowser, launch, OTHER_HOST, suite, visit } from './browser.ts'
import { writtenGateway, type Chat, type WrittenGateway } from './gateway.ts'
import { MODEL, network, peerId } from './samples.ts'

describe.skipIf(!hasBrowser)(suite('the chat of the page'), () => {
  let browser: Browser
  beforeAll(async () => {
    await buildPage()
    browser = await launch()
  })
  afterAll(async () => await browser.close())

  async function open(): Promise<{ page: Page; gateway: WrittenGateway; faults: string[] }> {
    const gateway = await writtenGateway()
    gateway.nodes = network()
    const { page, faults } = await visit(browser, gateway.url)
    return { page, gateway, faults }
  }

  test('streams an answer as Markdown, and its badge names node, route, speed and failovers', async () => {
    const { page, gateway, faults } = await open()
    await page.getByRole('combobox', { name: 'Model' }).selectOption(MODEL)
    const chat = await ask(page, gateway, 'Hello')
    expect(chat.body).toMatchObject({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }] })

    chat.accept(peerId(1))
    chat.text('thinking it over', 'reasoning_content')
    await page.getByText('thinking it over').waitFor()
    chat.text('One **bold** wo')
    await page.locator('.markdown strong', { hasText: 'bold' }).waitFor()
    chat.text('rd, and [a link](https://example.org/).')
    const link = page.getByRole('link', { name: 'a link' })
    await link.waitFor()
    expect(await link.getAttribute('rel')).toContain('noopener')
    expect(await page.locator('article.answer').getAttribute('aria-busy')).toBe('true')

    chat.finish(peerId(2), { route: 'relayed', failovers: 2, tokens: 9, tokens_per_second: 38.4 })
    const badge = page.getByRole('button', { name: 'Receipt' })
    const text = await badge.textContent()
    for (const fact of [peerId(2).slice(-6), 'relayed', '38 tokens/s', '9 tokens', '2 failovers', 'not audited']) {
      expect(text).toContain(fact)
    }
    await page.getByRole('status').getByText('The answer is complete').waitFor({ state: 'attached' })
    chat.event({ type: 'picked', peer: peerId(2), model: MODEL, why: 'chance' })
    chat.event({ type: 'audited', peer: peerId(2), tokens: 9, result: 'passed' })
    await badge.getByText('audit passed').waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Hello', exact: true }).click()
    await badge.getByText('audit passed').waitFor()
    expect(faults).toEqual([])
  })

  test('stops an answer: the gateway notices, and the text so far stays', async () => {
    const { page, gateway, faults } = await open()
    const chat = await ask(page, gateway, 'Count')
    chat.accept(peerId(1))
    chat.text('one two')
    await page.getByText('one two').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await chat.stopped
    await page.getByText('You stopped this answer.').waitFor()
    expect(await page.getByText('one two').isVisible()).toBe(true)

    await page.getByRole('textbox', { name: 'Message' }).fill('Go on')
    await page.getByRole('textbox', { name: 'Message' }).press('Enter')
    const next = await gateway.nextChat()
    expect(next.body.messages.map(({ content }) => content)).toEqual(['Count', 'one two', 'Go on'])
    expect(faults).toEqual([])
  })

  test('keeps the beginning of an answer when the page is closed', async () => {
    const { page, gateway } = await open()
    const chat = await ask(page, gateway, 'Count')
    chat.accept(peerId(1))
    chat.text('one two three')
    await page.getByText('one two three').waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Count', exact: true }).click()
    await page.getByText('one two three').waitFor()
    await page.getByText(/The connection broke|The page was closed/).waitFor()
    await page.getByRole('button', { name: 'Retry' }).waitFor()
  })

  test('retries an answer, and asks again with an edited question', async () => {
    const { page, gateway } = await open()
    await answer(await ask(page, gateway, 'First'), 'Answer 1')
    await answer(await ask(page, gateway, 'Second'), 'Answer 2')
    await page.getByText('Answer 2').waitFor()

    await page.getByRole('button', { name: 'Retry' }).click()
    const retried = await gateway.nextChat()
    expect(retried.body.messages.map(({ content }) => content)).toEqual(['First', 'Answer 1', 'Second'])
    await answer(retried, 'Answer 3')
    await page.getByText('Answer 3').waitFor()
    expect(await page.getByText('Answer 2').count()).toBe(0)

    await page.getByRole('button', { name: 'Edit' }).first().click()
    await page.getByRole('textbox', { name: 'Edit the message' }).fill('Changed')
    await page.getByRole('button', { name: 'Ask again' }).click()
    const edited = await gateway.nextChat()
    expect(edited.body.messages.map(({ content }) => content)).toEqual(['Changed'])
    await answer(edited, 'Answer 4')
    await page.getByText('Answer 4').waitFor()
    expect(await page.locator('article.answer').count()).toBe(1)
  })

  test('works without encryption from another machine, where browsers offer less', async () => {
    const gateway = await writtenGateway()
    gateway.nodes = network()
    const { page, faults } = await visit(browser, gateway.url.replace('127.0.0.1', OTHER_HOST))
    expect(await page.evaluate(() => isSecureContext)).toBe(false)
    await answer(await ask(page, gateway, 'Hello'), '```\ncode\n```')
    await page.getByRole('button', { name: 'Copy code' }).click()
    await page.getByText('The browser refused').waitFor()
    // Chromium itself says that it ignores a header of such a page.
    expect(faults.filter((fault) => !fault.includes('Cross-Origin-Opener-Policy'))).toEqual([])
  })

  test('says why an answer failed, before it began and in the middle', async () => {
    const { page, gateway } = await open()
    ;(await ask(page, gateway, 'First')).fail('No node serves a model now.')
    await page.getByText('No node serves a model now.').waitFor()
    await page.getByRole('button', { name: 'Retry' }).click()
    const chat = await gateway.nextChat()
    chat.accept(peerId(1))
    chat.text('half')
    await page.getByText('half').waitFor()
    chat.fail('Every node failed.')
    await page.getByText('Every node failed.').waitFor()
    expect(await page.getByText('half').isVisible()).toBe(true)
  })

  test('keeps several conversations in the browser, exports them and deletes them', async () => {
    const { page, gateway } = await open()
    await answer(await ask(page, gateway, 'About foxes'), 'A fox.')
    await page.getByRole('button', { name: 'New conversation' }).click()
    await answer(await ask(page, gateway, 'About tides'), 'A tide.')
    await page.getByText('A tide.').waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'About foxes', exact: true }).click()
    await page.getByText('A fox.').waitFor()
    expect(await page.getByText('A tide.').count()).toBe(0)

    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export About foxes' }).click()
    const exported = await download
    expect(exported.suggestedFilename()).toBe('About-foxes.json')
    expect(JSON.parse(readFileSync(await exported.path(), 'utf8'))).toEqual({
      title: 'About foxes',
      messages: [
        { role: 'user', content: 'About foxes' },
        { role: 'assistant', content: 'A fox.' }
      ]
    })
    await page.getByRole('button', { name: 'Delete About foxes' }).click()
    await page.getByRole('button', { name: 'Really delete About foxes' }).click()
    await page.reload()
    await page.getByRole('button', { name: 'About tides', exact: true }).waitFor()
    expect(await page.getByText('About foxes').count()).toBe(0)
  })

  test('two conversations answer at the same time, and a second tab sees both', async () => {
    const { page, gateway } = await open()
    const first = await ask(page, gateway, 'Slow question')
    first.accept(peerId(1))
    await page.getByRole('button', { name: 'New conversation' }).click()
    await answer(await ask(page, gateway, 'Quick question'), 'Quick answer')
    await page.getByText('Quick answer').waitFor()
    first.text('Slow answer')
    first.finish(peerId(1))
    await page.getByRole('button', { name: 'Slow question', exact: true }).click()
    await page.getByText('Slow answer').waitFor()

    const other = await page.context().newPage()
    await other.goto(gateway.url)
    await other.getByRole('button', { name: 'Quick question', exact: true }).click()
    await other.getByText('Quick answer').waitFor()
    await other.getByRole('button', { name: 'Delete Quick question' }).click()
    await other.getByRole('button', { name: 'Really delete Quick question' }).click()
    await page.getByRole('button', { name: 'Quick question', exact: true }).waitFor({ state: 'detached' })
  })

  test('deletes the oldest conversation when the browser has 50, and says so', async () => {
    const { page, gateway } = await open()
    await page.evaluate(() => {
      for (let index = 1; index <= 50; index++) {
        const one = { id: `${index}`, title: `Old ${index}`, model: 'auto', messages: [], changedAt: index }
        localStorage.setItem(`potluck.conversation.${index}`, JSON.stringify(one))
      }
    })
    await page.reload()
    await page.getByRole('button', { name: 'Old 1', exact: true }).waitFor()
    await answer(await ask(page, gateway, 'The newest'), 'Yes.')
    await page.getByText('The oldest was deleted').waitFor()
    expect(await page.getByRole('button', { name: 'Old 1', exact: true }).count()).toBe(0)
    expect(await page.evaluate(() => Object.keys(localStorage).length)).toBe(50)
  })

  test('sends attached text with its name, and refuses what is not text', async () => {
    const { page, gateway } = await open()
    const files = page.locator('input[type=file]')
    await files.setInputFiles([
      { name: 'notes.md', mimeType: 'text/markdown', buffer: Buffer.from('```\ncode\n```') },
      { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff]) }
    ])
    await page.getByText('photo.png is not text. The models read only text.').waitFor()
    const chat = await ask(page, gateway, 'What is in it?')
    // The fence around the file is longer than the one in it.
    expect(chat.body.messages[0]?.content).toBe('File notes.md:\n````\n```\ncode\n```\n````\n\nWhat is in it?')
  })
})

async function ask(page: Page, gateway: WrittenGateway, text: string): Promise<Chat> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
  return await gateway.nextChat()
}

/** Answers at once. */
async function answer(chat: Chat, text: string): Promise<void> {
  chat.accept(peerId(1))
  chat.text(text)
  chat.finish(peerId(1))
}
