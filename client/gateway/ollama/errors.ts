/** Errors in the form of Ollama's API: only a message. */
import type { ApiError } from '../errors.ts'

/** The body of an error response, and the last line of a stream that failed. */
export interface OllamaErrorBody {
  error: string
}

export function ollamaError({ message }: ApiError): OllamaErrorBody {
  return { error: message }
}
