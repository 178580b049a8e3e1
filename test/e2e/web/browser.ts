/** Chromium for the tests of the page. It records everything that must not happen. */
import { existsSync } from 'node:fs'

import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  chromium.executablePath()
]
const CHROMIUM = PLACES.find((place) => place !== undefined && place !== '' && existsSync(place))

export const hasBrowser: boolean = CHROMIUM !== undefined
/** The name of a suite. It says why the suite is skipped. */
export function suite(name: string): string {
  return hasBrowser ? name : `${name} (skipped: no Chromium found; install it, or set CHROMIUM to its path)`
}

/** A name that leads to this machine, but that the browser does not take for this machine. */
export const OTHER_HOST = 'gateway.test'

export async function launch(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('no Chromium')
  // Tests run as root in containers, where Chromium's sandbox does not work.
  return await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`]
  })
}

export interface Visit {
  page: Page
  /** Errors on the console, exceptions, violations of the CSP, and requests to other origins. */
  faults: string[]
}

/** Opens the page in a profile of its own. */
export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1240, height: 720 }, ...options })
  onTestFinished(async () => await context.close())
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const target = request.url()
    if (!target.startsWith(url) && !/^(data|blob):/.test(target)) faults.push(`request to ${target}`)
  })
  await page.goto(url)
  return { page, faults }
}
