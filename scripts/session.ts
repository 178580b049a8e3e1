/**
 * `npm run session [-- --here] [FILE]`: runs the commands of a first session on a pseudo-terminal, and writes what they
 * print to docs/session.md. It clones and installs this repository in a temporary folder first. With `--here` it uses
 * this checkout. It needs `script` of util-linux.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { renderTerminal } from './session/terminal.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The longest time of one command. An installation downloads some 500 MB. */
const TIMEOUT_MS = 15 * 60_000

/** Both keep the session away from the network of the machine that records it. */
const CONFIG = `listen = ["/ip4/127.0.0.1/tcp/4001"]
mdns = false
`

class Terminal {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #output = ''
  #wake = Promise.withResolvers<void>()

  constructor(command: string, { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }) {
    this.#child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], { cwd, env })
    this.#ended = new Promise((resolve) => this.#child.on('close', () => resolve()))
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    })
  }

  get text(): string {
    return renderTerminal(this.#output)
  }

  /** Waits until the terminal shows the text this many times. */
  async shows(text: string, times = 1): Promise<void> {
    const late = AbortSignal.timeout(TIMEOUT_MS)
    const isLate = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve()))
    while (this.text.split(text).length <= times) {
      const ended = await Promise.race([this.#wake.promise, isLate, this.#ended.then(() => true)])
      if (late.aborted || ended === true) throw new Error(`the terminal does not show "${text}":\n${this.text}`)
    }
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  async end(): Promise<string> {
    await this.#ended
    return this.text
  }
}

async function record(here: boolean): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'potluck-session-'))
  const clone = join(home, 'potluck')
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    TERM: 'xterm',
    COLUMNS: '110',
    // npm uses the registry and the cache of the machine that records.
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => /^npm_config_/i.test(name)))
  }
  const sections: string[] = []
  const add = (title: string, text: string): void => {
    const shown = text
      .replaceAll(clone, '~/potluck')
      .replaceAll(ROOT.replace(/\/$/, ''), '~/potluck')
      .replaceAll(home, '~')
    sections.push(`## ${title}\n\n\`\`\`\n${shown.trimEnd()}\n\`\`\`\n`)
  }
  const open = (command: string, cwd: string): Terminal => new Terminal(command, { cwd, env })
  const shown = async (command: string, cwd: string): Promise<string> =>
    `$ ${command}\n${await open(command, cwd).end()}`
  mkdirSync(join(home, '.config', 'potluck'), { recursive: true })
  writeFileSync(join(home, '.config', 'potluck', 'config.toml'), CONFIG)
  try {
    if (!here) {
      execFileSync('git', ['clone', '--quiet', ROOT, clone])
      add('Install', await shown('npm ci', clone))
    }
    const cwd = here ? ROOT : clone
    const potluck = async (words: string): Promise<string> => await shown(`npx potluck ${words}`, cwd)
    const node = open('npx potluck serve crumb', cwd)
    await node.shows('Press Ctrl-C')
    const started = node.text
    add('Serve', `$ npx potluck serve crumb\n${started}`)
    add('Ask', await potluck('run "What colour is the sky?"'))
    add('Chat', `$ npx potluck chat\n${await chat(open('npx potluck chat', cwd))}`)
    add('Status', await potluck('status'))
    add('Stats', await potluck('stats --price 0.60'))
    add('Doctor', await potluck('doctor'))
    add('Pause and resume', `${await potluck('pause')}\n${await potluck('ps')}\n${await potluck('resume')}`)
    add(
      'Stop',
      `${await potluck('stop')}\n\nThe node prints in its own terminal:\n\n${(await node.end()).slice(started.length).trim()}`
    )
    return sections.join('\n')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

async function chat(terminal: Terminal): Promise<string> {
  let prompts = 1
  for (const line of ['What is the capital of France?', '/retry', '/model', '/save ~/never.md/chat.md', '/bye']) {
    await terminal.shows('>>> ', prompts++)
    terminal.type(line)
  }
  return await terminal.end()
}

const args = process.argv.slice(2)
const here = args.includes('--here')
const [file = join(ROOT, 'docs', 'session.md')] = args.filter((argument) => argument !== '--here')
const introduction = `# A first session

<!-- Made by \`npm run session\`: nothing here is typed by hand. -->

These commands ran on a pseudo-terminal, and this is what they printed. A config file made the node listen on this machine
only (\`listen = ["/ip4/127.0.0.1/tcp/4001"]\` and \`mdns = false\`). \`~\` stands for a temporary folder.

`
writeFileSync(file, introduction + (await record(here)))
