import { LlamaText, SpecialToken, SpecialTokensText, type LlamaModel, type LlamaTextValue } from 'node-llama-cpp'
import { PotluckError, type PromptInput } from '@potluck/protocol'
import { ChatTemplate, type RenderedPart } from './template.ts'

/** Turns inputs into token ids; the same input always gives the same ids. */
export class PromptTokenizer {
  readonly #model: LlamaModel
  readonly #template: ChatTemplate | undefined
  readonly #mostBytes: number

  /** @param mostBytes a longer input cannot fit the context, however it is tokenised */
  constructor(model: LlamaModel, mostBytes: number, log: (text: string) => void) {
    this.#model = model
    this.#template = templateOf(model, log)
    this.#mostBytes = mostBytes
  }

  get canChat(): boolean {
    return this.#template !== undefined
  }

  /**
   * @throws PotluckError `context_length_exceeded` without tokenising what cannot fit: that would
   *   hold up everybody's answers for as long as it takes; `unsupported` for a chat without a template
   */
  tokenize(input: PromptInput): number[] {
    const bytes =
      'messages' in input
        ? input.messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
        : Buffer.byteLength(input.prompt)
    if (bytes > this.#mostBytes) {
      throw new PotluckError('context_length_exceeded', 'the prompt does not fit the context of this model')
    }
    const text = 'messages' in input ? this.#chat(input.messages) : input.prompt
    const tokens = LlamaText(text).tokenize(this.#model.tokenizer)
    const { bos, shouldPrependBosToken } = this.#model.tokens
    if (bos !== null && shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos)
    return tokens
  }

  #chat(messages: Extract<PromptInput, { messages: unknown }>['messages']): LlamaTextValue[] {
    if (this.#template === undefined) {
      throw new PotluckError('unsupported', 'this model has no chat template; send a prompt instead of messages')
    }
    return this.#template.render(messages).map(valueOf)
  }
}

/** Without a template that we can read, the model still completes raw prompts. */
function templateOf(model: LlamaModel, log: (text: string) => void): ChatTemplate | undefined {
  const source = model.fileInfo.metadata.tokenizer.chat_template
  if (source === undefined || source === '') return undefined
  try {
    return new ChatTemplate(source)
  } catch (error) {
    log(`the chat template cannot be parsed: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

function valueOf(part: RenderedPart): LlamaTextValue {
  switch (part.type) {
    case 'template':
      return new SpecialTokensText(part.text)
    case 'content':
      return part.text
    case 'bos':
      return new SpecialToken('BOS')
    case 'eos':
      return new SpecialToken('EOS')
  }
}
