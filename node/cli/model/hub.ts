/**
 * Reads the SHA-256 digest that Hugging Face states for a file. The hub stores large files in Git LFS, under their
 * SHA-256 digest. The hub answers a request for such a file with a redirect. The header `x-linked-etag` of the redirect
 * contains the digest.
 */
import { deadline, formatDigest, parseDigest } from '@potluck/protocol'

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
 * The name of a `hf:` URI, as `user/repo:QUANT`. If the URI names a file instead of a quantization, the file's name
 * takes the place of `QUANT`.
 */
export function nameOf(uri: string): string | undefined {
  const parts = parseHubUri(uri)
  if (parts === undefined) return undefined
  const { user, repo, tag, file } = parts
  const last =
    tag ??
    file
      ?.split('/')
      .at(-1)
      ?.replace(/\.gguf$/i, '')
  return last === undefined ? `${user}/${repo}` : `${user}/${repo}:${last}`
}

async function fileUrl(uri: string, signal: AbortSignal): Promise<string | undefined> {
  const parts = parseHubUri(uri)
  if (parts === undefined) return uri.startsWith('http') ? uri.replace('/blob/', '/resolve/') : undefined
  const { user, repo, tag = 'latest', file, branch = 'main' } = parts
  const endpoint = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/$/, '')
  const path = file ?? (await fileOfTag(`${endpoint}/v2/${user}/${repo}/manifests/${tag}`, signal))
  return path === undefined ? undefined : `${endpoint}/${user}/${repo}/resolve/${branch}/${path}`
}

async function fileOfTag(manifestUrl: string, signal: AbortSignal): Promise<string | undefined> {
  const response = await fetch(manifestUrl, { headers: { 'user-agent': USER_AGENT }, signal })
  const manifest = (await response.json()) as { ggufFile?: { rfilename?: string } }
  return manifest.ggufFile?.rfilename
}

interface HubUri {
  user: string
  repo: string
  tag?: string
  file?: string
  branch?: string
}

function parseHubUri(uri: string): HubUri | undefined {
  const match = /^(?:hf|huggingface):(?:\/\/)?([^/]+)\/([^/:#]+)(?::([^/#]+)|\/([^#]+)(?:#(.+))?)?$/.exec(uri)
  if (match === null) return undefined
  const [, user = '', repo = '', tag, file, branch] = match
  return {
    user,
    repo,
    ...(tag === undefined ? {} : { tag }),
    ...(file === undefined ? {} : { file }),
    ...(branch === undefined ? {} : { branch })
  }
}
