/**
 * Answers in channels, as gpt-oss writes them. An answer is a list of messages. Each has a header that names its
 * channel: `analysis` for reasoning, `commentary` for calls and for words before them, `final` for the answer itself. A
 * header can name the tool that the message calls:
 *
 *     <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…
 *     <|channel|>commentary to=functions.find <|constrain|>json<|message|>{"what": "fox"}
 */
export const CHANNELS = {
  start: '<|start|>assistant',
  channel: '<|channel|>',
  toTool: ' to=functions.',
  constrain: '<|constrain|>',
  message: '<|message|>',
  end: '<|end|>'
} as const

/** The marks that a model must be able to write. */
export const CHANNEL_MARKS: readonly string[] = ['<|start|>', '<|channel|>', '<|constrain|>', '<|message|>', '<|end|>']
