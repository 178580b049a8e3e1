/** Files of the user that become part of a question. */
import type { Attachment } from './conversations.ts'

const MAX_FILES = 8
/** Models with a long context can read about this much, and the browser stores it with the conversation. */
const MAX_BYTES = 256 * 1024

/** Adds these files. `refused` says why files are missing. */
export async function readAttachments(
  files: readonly File[],
  before: readonly Attachment[]
): Promise<{ attachments: readonly Attachment[]; refused: string | undefined }> {
  const attachments = [...before]
  let refused: string | undefined
  for (const file of files) {
    const text = attachments.length < MAX_FILES && file.size <= MAX_BYTES ? await readText(file) : undefined
    if (text !== undefined) attachments.push({ name: file.name, text })
    else if (attachments.length >= MAX_FILES) refused = `A message can have ${MAX_FILES} files.`
    else if (file.size > MAX_BYTES) refused = `${file.name} is larger than ${MAX_BYTES / 1024} KiB.`
    else refused = `${file.name} is not text. The models read only text.`
  }
  return { attachments, refused }
}

async function readText(file: File): Promise<string | undefined> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
    return text.includes('\0') ? undefined : text
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
