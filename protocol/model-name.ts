/** The names of models. A model has one name for all commands, the gateway and the SDK. */

/** The short name of the model that comes with Potluck. */
const SHORT_NAMES: Readonly<Record<string, string>> = { crumb: 'potluck/crumb:Q8_0' }

/** The parts of `hf:user/repo:TAG` or `hf:user/repo/file.gguf#branch`. */
export interface HubUri {
  user: string
  repo: string
  tag?: string
  file?: string
  branch?: string
}

/** Returns undefined for a text that does not begin with `hf:` or `huggingface:`. */
export function parseHubUri(uri: string): HubUri | undefined {
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

/**
 * Returns the name on the network, `user/repo:QUANT`, of a model that a user names: `crumb`, a `hf:` URI, or the name
 * itself. If a URI names a file instead of a quantization, the file's name takes the place of `QUANT`.
 */
export function modelName(text: string): string {
  const short = Object.hasOwn(SHORT_NAMES, text) ? SHORT_NAMES[text] : undefined
  const parts = parseHubUri(text)
  if (parts === undefined) return short ?? text
  const { user, repo, tag, file } = parts
  const last =
    tag ??
    file
      ?.split('/')
      .at(-1)
      ?.replace(/\.gguf$/i, '')
  return last === undefined ? `${user}/${repo}` : `${user}/${repo}:${last}`
}
