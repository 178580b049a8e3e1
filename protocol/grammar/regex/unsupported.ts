/** The pattern is invalid, or it uses what no grammar can express. The message is the end of a sentence. */
export class UnsupportedPattern extends Error {
  override readonly name = 'UnsupportedPattern'
}
