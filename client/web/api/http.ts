/** Requests to the gateway that served this page. */
import { signal, type Signal } from '@preact/signals'

/** Where this tab keeps the key of the gateway. The browser forgets it with the tab. */
const KEY = 'potluck.key'

/** Whether the gateway refused a request because the key is missing or wrong. */
export const needsKey: Signal<boolean> = signal(false)

/** A refusal by the gateway, or a gateway that does not answer. The message is for the user. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** HTTP status. 0 if the gateway did not answer. */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key)
  needsKey.value = false
}

/** @throws RequestError unless the status is 2xx */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = sessionStorage.getItem(KEY)
  if (key !== null) headers.set('authorization', `Bearer ${key}`)
  let response: Response
  try {
    response = await fetch(path, { ...init, headers })
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    throw new RequestError(0, 'The gateway does not answer. Start it again on its machine.')
  }
  if (response.ok) return response
  if (response.status === 401) needsKey.value = true
  throw new RequestError(response.status, await messageOf(response))
}

export async function getJson<Body>(path: string, abort?: AbortSignal): Promise<Body> {
  const response = await request(path, abort === undefined ? {} : { signal: abort })
  return (await response.json()) as Body
}

export async function postJson<Body>(path: string): Promise<Body> {
  return (await (await request(path, { method: 'POST' })).json()) as Body
}

async function messageOf(response: Response): Promise<string> {
  const text = await response.text()
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } | string }
    const message = typeof error === 'string' ? error : error?.message
    if (message !== undefined) return message
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return `The gateway answered with status ${response.status}.`
}
