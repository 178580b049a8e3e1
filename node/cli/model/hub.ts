/**
 * Reads the SHA-256 digest that Hugging Face states for a file. The hub stores large files in Git LFS, under their
 * SHA-256 digest. The hub answers a request for such a file with a redirect. The header `x-linked-etag` of the redirect
 * contains the digest.
 */
import { deadline, formatDigest, parseDigest, parseHubUri } from '@potluck/protocol'

/** Timeout for reading the digest from the hub, in milliseconds. If the timeout passes, the file is not checked. */
const HUB_TIMEOUT_MS = 10_000
/** The hub resolves a quantization to a file only for the user agent of llama.cpp. */
const USER_AGENT = 'llama-cpp'

/** @returns `sha256:…`, or undefined if the file is not on the hub or the hub states no digest */
export async function statedDigest(uri: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const timeout = deadline(HUB_TIMEOUT_MS, signal)
    const url = await fileUrl(uri, timeout)
    if (url === undefined) return undefined
    const response = await fetch(url, { method: 'HEAD', redirect: 'manual', signal: timeout })
    const digest = parseDigest(response.headers.get('x-linked-etag')?.replaceAll('"', '') ?? '')
    return digest === undefined ? undefined : formatDigest(digest)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/**
 * Asks the server of a model for an answer of any kind. Without an answer, the downloader would try for minutes and
 * print nothing.
 *
 * @throws Error in one line, if the server does not answer or says that it has no such file
 */
export async function checkServer(uri: string, signal: AbortSignal): Promise<void> {
  const url = new URL(uri.startsWith('http') ? uri : endpoint())
  let response: Response
  try {
    response = await fetch(url, { method: 'HEAD', signal: deadline(HUB_TIMEOUT_MS, signal) })
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${url.host} does not answer (${describeFetchError(error)}); check the address and your network`, {
      cause: error
    })
  }
  // Other codes say little: some servers refuse HEAD.
  if (response.status === 404 && uri.startsWith('http')) {
    throw new Error(`${url.host} has no such file (HTTP 404); check the URL`)
  }
}

/** `fetch` says only "fetch failed". Its cause has the reason. */
function describeFetchError(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ECONNREFUSED') return 'it refuses the connection'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'DNS does not know the name'
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer in ${HUB_TIMEOUT_MS / 1000} s`
  return cause instanceof Error ? cause.message : String(cause)
}

function endpoint(): string {
  return (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/$/, '')
}

async function fileUrl(uri: string, signal: AbortSignal): Promise<string | undefined> {
  const parts = parseHubUri(uri)
  if (parts === undefined) return uri.startsWith('http') ? uri.replace('/blob/', '/resolve/') : undefined
  const { user, repo, tag = 'latest', file, branch = 'main' } = parts
  const hub = endpoint()
  const path = file ?? (await fileOfTag(`${hub}/v2/${user}/${repo}/manifests/${tag}`, signal))
  return path === undefined ? undefined : `${hub}/${user}/${repo}/resolve/${branch}/${path}`
}

async function fileOfTag(manifestUrl: string, signal: AbortSignal): Promise<string | undefined> {
  const response = await fetch(manifestUrl, { headers: { 'user-agent': USER_AGENT }, signal })
  const manifest = (await response.json()) as { ggufFile?: { rfilename?: string } }
  return manifest.ggufFile?.rfilename
}
