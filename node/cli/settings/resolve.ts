/** The settings of one run: flags over environment over config file over defaults. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { parse as parseToml } from 'smol-toml'

import { EXIT_USAGE, Failure } from '../failure.ts'
import { envOf, keyOf, SETTINGS, type Settings } from './table.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Sources {
  /** What was given on the command line, parsed. */
  flags: Partial<Settings>
  env: Environment
  /** Path given by the user; else the default path, which need not exist. */
  configFile: string | undefined
}

/** @throws Failure that names the variable, or the file and the key */
export async function resolveSettings({ flags, env, configFile }: Sources): Promise<Settings> {
  const file = await readConfig(configFile ?? env.POTLUCK_CONFIG, env)
  const names = Object.keys(SETTINGS) as (keyof Settings)[]
  const defaults = Object.fromEntries(names.map((name) => [name, SETTINGS[name].default]))
  const fromEnv = names.flatMap((name) => {
    const value = env[envOf(name)]
    return value === undefined || value === '' ? [] : [[name, parseVariable(name, value)]]
  })
  // Each value went through its setting's own kind.
  return { ...defaults, ...file, ...Object.fromEntries(fromEnv), ...flags } as Settings
}

/** Where the config file is, if nothing else is said. */
function defaultConfigFile(env: Environment): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'potluck', 'config.toml')
}

/** Where everything is kept, if nothing else is said. */
export function defaultDataDirectory(env: Environment): string {
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'potluck')
}

function parseVariable(name: keyof Settings, value: string): unknown {
  try {
    return SETTINGS[name].kind.parse(value)
  } catch (cause) {
    throw usage(`the environment variable ${envOf(name)} is "${value}": ${messageOf(cause)}`, cause)
  }
}

async function readConfig(given: string | undefined, env: Environment): Promise<Record<string, unknown>> {
  const path = given ?? defaultConfigFile(env)
  let source: string
  try {
    source = await readFile(path, 'utf8')
  } catch (cause) {
    if (given === undefined && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {}
    throw usage(`cannot read the config file ${path}: ${messageOf(cause)}`, cause)
  }
  let table: Record<string, unknown>
  try {
    table = parseToml(source, { integersAsBigInt: 'asNeeded' })
  } catch (cause) {
    throw usage(`the config file ${path} is no TOML: ${messageOf(cause).split('\n')[0] ?? ''}`, cause)
  }
  return Object.fromEntries(Object.entries(table).map(([key, value]) => acceptKey(path, key, value)))
}

function acceptKey(path: string, key: string, value: unknown): [string, unknown] {
  const names = Object.keys(SETTINGS) as (keyof Settings)[]
  const name = names.find((candidate) => keyOf(candidate) === key)
  if (name === undefined) {
    throw usage(`the config file ${path} has the unknown key "${key}"; known are ${names.map(keyOf).join(', ')}`)
  }
  try {
    return [name, SETTINGS[name].kind.accept(value)]
  } catch (cause) {
    throw usage(`the config file ${path} has a wrong "${key}": ${messageOf(cause)}`, cause)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function usage(message: string, cause?: unknown): Failure {
  return new Failure(message, { exitCode: EXIT_USAGE, cause })
}
