/** Answers of malicious nodes, in Chromium: nothing runs, nothing loads, and the page stays usable. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { buildPage } from '../../../scripts/page.ts'
import { hasBrowser, launch, suite, visit } from './browser.ts'
import { writtenGateway } from './gateway.ts'
import { node, peerId } from './samples.ts'

const HOSTILE = 'https://attacker.example'

const ANSWERS: Record<string, { text: string; shows: string }> = {
  'HTML and scripts': {
    text: `<script>alert(1)</script><img src="${HOSTILE}/a.png" onerror="alert(2)">\n\n<iframe src="${HOSTILE}"></iframe>\n\n<style>body{display:none}</style> inline <b onclick=alert(3)>html</b> <svg onload=alert(4)>\n\nend of it`,
    shows: '<script>alert(1)</script>'
  },
  'links that run code': {
    text: `[a](javascript:alert(1)) [b](JaVaScRiPt:alert(2)) [c](data:text/html,<script>alert(3)</script>) [d](vbscript:x) <javascript:alert(4)> [e](&#106;avascript:alert(5))\n\nend of it`,
    shows: 'end of it'
  },
  'pictures that report the reader': {
    text: `![pixel](${HOSTILE}/p.gif?who=me)\n\n[![x](${HOSTILE}/q.gif)](${HOSTILE})\n\nend of it`,
    shows: 'Picture: pixel'
  },
  'codes of a terminal': {
    text: '\u001b[2J\u001b]0;title\u0007\u001b[31mred\u001b[0m\u009b1m end of it',
    shows: '␛[2J'
  },
  'marks of direction': { text: 'safe \u202egnp.exe\u2066 end of it', shows: 'safe [U+202E]gnp.exe[U+2066]' },
  entities: {
    text: '&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(2)&#62; &#27; &#99999999; end of it',
    shows: '<script>alert(1)</script>'
  },
  '4,900 quotes inside each other': { text: `${'>'.repeat(4900)} end of it`, shows: 'end of it' },
  '300 lists inside each other': {
    text: `${Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth * 2).slice(0, 150)}- a`).join('\n')}\n\nend of it`,
    shows: 'end of it'
  },
  'brackets without an end': {
    text: `${'['.repeat(4000)}\n\n${'![a]('.repeat(900)}\n\n${'*a _b `c '.repeat(500)}\n\nend of it`,
    shows: 'end of it'
  },
  'names of prototypes': {
    text: '&constructor; &proto; __proto__ ```__proto__\nx\n```\n\n[a]: constructor\n\nend of it',
    shows: 'end of it'
  }
}

describe.skipIf(!hasBrowser)(suite('hostile answers on the page'), () => {
  let browser: Browser
  beforeAll(async () => {
    await buildPage()
    browser = await launch()
  })
  afterAll(async () => await browser.close())

  async function show(text: string): Promise<{ page: Page; faults: string[] }> {
    const gateway = await writtenGateway()
    gateway.nodes = [node(1)]
    const { page, faults } = await visit(browser, gateway.url)
    await page.getByRole('textbox', { name: 'Message' }).fill('Hi')
    await page.keyboard.press('Enter')
    const chat = await gateway.nextChat()
    chat.accept(peerId(1))
    for (let start = 0; start < text.length; start += 50_000) chat.text(text.slice(start, start + 50_000))
    chat.finish(peerId(1))
    await page.getByRole('button', { name: 'Receipt' }).waitFor()
    return { page, faults }
  }

  test.each(Object.entries(ANSWERS))('%s', async (_, { text, shows }) => {
    const { page, faults } = await show(text)
    const answer = page.locator('.answer .markdown')
    await answer.getByText('end of it').first().waitFor()
    expect(await answer.textContent()).toContain(shows)
    expect(await answer.locator('script, img, iframe, style, svg, object, embed, form, b').count()).toBe(0)
    const hrefs = await answer.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
    expect(hrefs.filter((href) => !/^(https?|mailto):/i.test(href))).toEqual([])
    expect(faults).toEqual([])
  })

  test('1 MB without a blank: the page shows the beginning, and can still be used', async () => {
    const { page, faults } = await show('a'.repeat(1_000_000))
    await page.getByText('The answer has 1,000,000 characters.').waitFor()
    const { width } = (await page.locator('.answer .plain').boundingBox()) ?? { width: Infinity }
    expect(width).toBeLessThan(720)
    await page.getByRole('textbox', { name: 'Message' }).fill('still here')
    expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('still here')
    expect(faults).toEqual([])
  })

  test('names of models and devices that a node invents are text too', async () => {
    const gateway = await writtenGateway()
    const name = '<img src=x onerror=alert(1)>\u202e\u001b[2J'
    const bad = node(1, { hardware: { accelerator: name, device: name, memoryBytes: 1 } })
    gateway.nodes = [{ ...bad, models: [{ ...bad.models[0]!, name, quantization: name }] }]
    const { page, faults } = await visit(browser, gateway.url)
    await page.getByRole('button', { name: /established/ }).click()
    await page.locator('.about').waitFor()
    expect(await page.locator('.nodes').textContent()).toContain('<img src=x onerror=alert(1)>[U+202E]␛[2J')
    expect(await page.locator('.nodes img').count()).toBe(0)
    expect(faults).toEqual([])
  })
})
