import { LlamaText, SpecialToken, SpecialTokensText, type LlamaModel, type LlamaTextValue } from 'node-llama-cpp'
import { offeredTools, PotluckError, type ChatInput, type PromptInput } from '@potluck/protocol'
import { withoutTools } from '../shape/convention.ts'
import { GENERIC_CALLS, type ChatFormat } from '../shape/format.ts'
import { dialectOf, type Dialect } from './dialect.ts'
import type { Vocabulary } from '../answer/vocabulary.ts'
import { inputBytes } from '../shape/input-bytes.ts'
import { ChatTemplate, type RenderedPart } from './template.ts'

/** Turns inputs into token ids; the same input always gives the same ids. */
export class PromptTokenizer {
  readonly #model: LlamaModel
  readonly #template: ChatTemplate | undefined
  readonly #dialect: Dialect | undefined
  readonly #mostBytes: number

  /** @param mostBytes a longer input cannot fit the context, however it is tokenised */
  constructor(model: LlamaModel, vocabulary: Vocabulary, mostBytes: number, log: (text: string) => void) {
    this.#model = model
    this.#template = templateOf(model, log)
    this.#dialect = this.#template && dialectOf(this.#template, (text) => spells(model, vocabulary, text))
    this.#mostBytes = mostBytes
  }

  /** How the model's answers to chats are written. */
  get format(): ChatFormat {
    return this.#dialect ?? { calls: GENERIC_CALLS }
  }

  get canChat(): boolean {
    return this.#template !== undefined
  }

  /**
   * @throws PotluckError `context_length_exceeded` without tokenising what cannot fit: that would
   *   hold up everybody's answers for as long as it takes; `unsupported` for a chat without a template
   */
  tokenize(input: PromptInput): number[] {
    if (inputBytes(input) > this.#mostBytes) {
      throw new PotluckError('context_length_exceeded', 'the prompt does not fit the context of this model')
    }
    const text = 'messages' in input ? this.#chat(input) : input.prompt
    const tokens = LlamaText(text).tokenize(this.#model.tokenizer)
    const { bos, shouldPrependBosToken } = this.#model.tokens
    if (bos !== null && shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos)
    return tokens
  }

  #chat(input: ChatInput): LlamaTextValue[] {
    if (this.#template === undefined) {
      throw new PotluckError('unsupported', 'this model has no chat template; send a prompt instead of messages')
    }
    const tools = offeredTools(input)
    const rendered =
      this.#dialect?.native === true
        ? this.#template.render(input.messages, { tools })
        : this.#template.render(withoutTools(input.messages, tools))
    return rendered.map(valueOf)
  }
}

/** Whether the text, as the template speaks it, is made of tokens that are seen in an answer. */
function spells(model: LlamaModel, vocabulary: Vocabulary, text: string): boolean {
  const pieces = LlamaText(new SpecialTokensText(text))
    .tokenize(model.tokenizer)
    .map((token) => vocabulary.piece(token))
  return (
    Buffer.concat(pieces.map(({ bytes }) => bytes))
      .toString()
      .trim() === text.trim()
  )
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
